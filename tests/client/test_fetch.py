"""A token within a time: waiting and asking again while that makes sense, then the broker's reason as our failure."""

import re
from pathlib import Path
from time import monotonic

import pytest

from broker.client import address, fetch
from broker.client.failures import NOTHING_TO_SEE, ClientError, Denied, Unreachable
from tests.client.scripted import Reply, answered, bare, scripted

GOOD = answered(200, {"token": "t"})


def busy(retry_after: object) -> bytes:
    problem = {"code": "iam_unavailable", "detail": "it is down", "retry_after": retry_after}
    return answered(503, problem)


class Time:
    """A clock that only sleeping moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self.slept: list[float] = []
        monkeypatch.setattr(fetch, "time", self)

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    return Time(monkeypatch)


def token(
    path: Path, *replies: Reply, timeout: float = 5.0, identity: str | None = None
) -> tuple[str, list[bytes]]:
    """What came of it, a token or a failure, and the requests."""
    with scripted(path, *replies) as seen:
        try:
            got = str(fetch.token({address.VARIABLE: f"unix://{path}"}, identity, timeout).tree()["token"])
        except ClientError as error:
            got = f"{error.exit_code} {error}"
    return got, seen


def waits(seen: list[bytes]) -> list[int]:
    return [int(found[1]) for request in seen if (found := re.search(rb"Prefer: wait=(\d+)", request))]


def test_busy_is_asked_again_when_told_until_the_token_comes(tmp_path: Path, time: Time):
    got, seen = token(tmp_path / "s", busy(2), busy(1), GOOD, timeout=5)
    assert (got, time.slept, waits(seen)) == ("t", [2, 1], [5, 3, 2])


def test_a_time_to_come_back_beyond_the_timeout_ends_it_at_once(tmp_path: Path, time: Time):
    got, seen = token(tmp_path / "s", busy(5), GOOD, timeout=5)
    assert got == "69 no token: iam_unavailable: it is down; the broker tries again in 5 s"
    assert (len(seen), time.slept) == (1, [])


def test_the_last_reason_is_told_when_the_time_is_over(tmp_path: Path, time: Time):
    got, seen = token(tmp_path / "s", busy(2), timeout=5)
    assert got.startswith("69 no token: iam_unavailable: it is down")
    assert (len(seen), time.slept) == (3, [2, 2])


@pytest.mark.parametrize("told", [None, "soon", -5, 0, 1e400, -1e400, float("nan"), True, 10**400])
def test_a_strange_time_to_come_back_neither_breaks_nor_floods(tmp_path: Path, time: Time, told: object):
    got, seen = token(tmp_path / "s", busy(told), timeout=1)
    assert got.startswith("69 no token: iam_unavailable")
    assert len(seen) <= 11
    assert all(pause > 0 for pause in time.slept)


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (403, "access_denied", "77 access_denied: why"),
        (400, "identity_required", "1 identity_required: why"),
        (500, "internal", "1 internal: why"),
    ],
)
def test_other_refusals_are_final(tmp_path: Path, time: Time, status: int, code: str, expected: str):
    got, seen = token(
        tmp_path / "s", answered(status, {"code": code, "detail": "why", "retry_after": 1}), GOOD
    )
    assert (got, len(seen), time.slept) == (expected, 1, [])


@pytest.mark.parametrize(
    "body", [{}, {"token": None}, {"token": 1}, {"token": ""}, {"token": "t\r\nX: y"}, [], "token"]
)
def test_a_200_without_a_token_is_no_token(tmp_path: Path, body: object):
    got, _ = token(tmp_path / "s", answered(200, body))
    assert got.startswith("69 ")


TAG, TEXT = 'ETag: W/"1"\r\n', "Content-Type: text/plain; charset=utf-8\r\n"


def bare_token(path: Path, *replies: Reply) -> tuple[str, list[bytes]]:
    with scripted(path, *replies) as seen:
        try:
            got = fetch.bare_token({address.VARIABLE: f"unix://{path}"}, None, 5)
        except ClientError as error:
            got = f"{error.exit_code} {error}"
    return got, seen


def test_a_bare_token_is_waited_for_and_refused_as_any(tmp_path: Path, time: Time):
    got, seen = bare_token(tmp_path / "s", busy(2), bare(b"gA-_="))
    assert (got, time.slept) == ("gA-_=", [2])
    assert all(b"\r\nAccept: text/plain\r\n" in request for request in seen)
    got, _ = bare_token(tmp_path / "t", answered(403, {"code": "access_denied", "detail": "why"}))
    assert got == "77 access_denied: why"


@pytest.mark.parametrize(
    "reply",
    [
        GOOD,
        answered(200, b"It works"),
        answered(200, b"ok", head=TEXT),
        answered(200, b"ok", head=TAG),
        answered(200, b"ok", head=TEXT + 'ETag: "strong"\r\n'),
        answered(200, b"ok", head=TAG + "Content-Type: text/html\r\n"),
    ],
)
def test_a_word_of_some_other_server_is_no_token(tmp_path: Path, reply: bytes):
    """Rule: only what says that it is a bare token, with the tag of one, is printed as one."""
    got, _ = bare_token(tmp_path / "s", reply)
    assert got == "69 what listens there is no broker; is KAKAOCLOUD_BROKER_URL right?"


@pytest.mark.parametrize("text", [b"", b"t\n", b"t\r\nX: y", b"a b", b"\xff", b"\x1b[2J", b"t\0"])
def test_a_bare_token_is_safe_in_a_header_or_a_line(tmp_path: Path, text: bytes):
    got, _ = bare_token(tmp_path / "s", bare(text))
    assert got.startswith("69 the broker's answer is not understood")


def test_no_request_asks_or_waits_for_longer_than_the_broker_lets_one(tmp_path: Path):
    """A timeout of ages is many requests, not one that no socket can time."""
    got, seen = token(tmp_path / "s", GOOD, timeout=8.64e16)
    assert (got, waits(seen)) == ("t", [30])


@pytest.mark.parametrize(("timeout", "wait"), [(0, 0), (0.5, 1), (1, 1), (5, 5)])
def test_the_broker_is_asked_to_wait_for_all_of_the_timeout(tmp_path: Path, timeout: float, wait: int):
    """On the real clock, which has moved on when the request is written."""
    assert waits(token(tmp_path / "s", GOOD, timeout=timeout)[1]) == [wait]


@pytest.mark.parametrize(
    ("identity", "path"),
    [
        (None, b"/v1/token"),
        ("shop", b"/v1/identities/shop/token"),
        ("a-1", b"/v1/identities/a-1/token"),
    ],
)
def test_a_name_is_one_part_of_the_path(tmp_path: Path, identity: str | None, path: bytes):
    _, seen = token(tmp_path / "s", GOOD, identity=identity)
    assert seen[0].split()[1] == path


@pytest.mark.parametrize(
    "word", ["", "../..", "a/b", "a?b#c d\r\n", "\udcff", "Shop", "gAAAAABtoken", "-a", "a" * 64]
)
def test_what_is_no_name_is_neither_sent_nor_repeated(tmp_path: Path, word: str):
    got, seen = token(tmp_path / "s", GOOD, identity=word)
    assert (got[:2], seen) == ("77", [])
    assert not word or word not in got


@pytest.mark.parametrize(
    "body", [{}, {"identities": 1}, {"identities": [1]}, {"identities": [{"identity": "a"}]}]
)
def test_a_status_that_is_not_understood_is_one_sentence(tmp_path: Path, body: object):
    with (
        scripted(tmp_path / "s", answered(200, body)),
        pytest.raises(Unreachable, match="is not understood; are client and broker of one version"),
    ):
        fetch.status({address.VARIABLE: f"unix://{tmp_path}/s"})


def test_a_status_that_is_refused_says_why(tmp_path: Path):
    with (
        scripted(tmp_path / "s", answered(403, {"code": "caller_unknown", "detail": "who"})),
        pytest.raises(Denied, match="caller_unknown: who"),
    ):
        fetch.status({address.VARIABLE: f"unix://{tmp_path}/s"})


def test_a_silent_broker_is_left_a_moment_after_the_timeout(tmp_path: Path):
    began = monotonic()
    got, _ = token(tmp_path / "s", None, timeout=0.2)
    assert got.startswith("69 the broker at ")
    assert monotonic() - began < 0.2 + fetch.MOMENT + 1


@pytest.mark.parametrize(("life", "told"), [(600.0, b"600"), (0.5, b"1"), (0.0, b"0")])
def test_the_life_asked_for_goes_in_whole_seconds_upwards(tmp_path: Path, life: float, told: bytes):
    with scripted(tmp_path / "s", GOOD) as seen:
        fetch.token({address.VARIABLE: f"unix://{tmp_path}/s"}, "shop", 5, life)
    assert seen[0].split()[1] == b"/v1/identities/shop/token?min_ttl=" + told


def status_of(*names: str) -> bytes:
    return answered(200, {"identities": [dict.fromkeys(fetch._ROW) | {"identity": name} for name in names]})


def projects(path: Path, *replies: Reply, identity: str | None = None) -> tuple[object, list[bytes]]:
    with scripted(path, *replies) as seen:
        try:
            got: object = fetch.projects({address.VARIABLE: f"unix://{path}"}, identity)
        except ClientError as error:
            got = f"{error.exit_code} {error}"
    return got, [request.split()[1] for request in seen]


FOUND = [{"id": "p", "name": "shop", "domain_id": "d", "enabled": True}]


def test_projects_of_a_named_identity_are_one_request(tmp_path: Path):
    got, seen = projects(tmp_path / "s", answered(200, {"projects": FOUND}), identity="shop")
    assert (got, seen) == (FOUND, [b"/v1/identities/shop/projects"])


@pytest.mark.parametrize(("names", "asked"), [(("shop",), b"shop"), (("build", "default"), b"default")])
def test_without_a_name_it_is_the_default_or_the_only_one(
    tmp_path: Path, names: tuple[str, ...], asked: bytes
):
    got, seen = projects(tmp_path / "s", status_of(*names), answered(200, {"projects": FOUND}))
    assert (got, seen) == (FOUND, [b"/v1/identities", b"/v1/identities/" + asked + b"/projects"])


def test_several_or_none_to_choose_from_is_a_sentence(tmp_path: Path):
    got, _ = projects(tmp_path / "s", status_of("build", "shop"))
    assert got == "1 you may see build, shop; name the one whose projects you want"
    got, _ = projects(tmp_path / "t", status_of())
    assert got == f"77 {NOTHING_TO_SEE}"


@pytest.mark.parametrize("body", [{}, {"projects": 1}, {"projects": [1]}])
def test_projects_that_are_not_understood_are_one_sentence(tmp_path: Path, body: object):
    got, _ = projects(tmp_path / "s", answered(200, body), identity="a")
    assert str(got).startswith("69 the broker's answer is not understood")


DIGEST = "ab" * 32


def reject(path: Path, *replies: Reply, identity: str | None = "shop") -> tuple[object, list[bytes]]:
    with scripted(path, *replies) as seen:
        try:
            got: object = fetch.reject({address.VARIABLE: f"unix://{path}"}, identity, DIGEST)
        except ClientError as error:
            got = f"{error.exit_code} {error}"
    return got, seen


def test_a_report_is_one_post_of_the_hash_that_waits_for_the_verdict(tmp_path: Path):
    told = {"outcome": "deferred", "token": None, "retry_after": 7}
    got, (request,) = reject(tmp_path / "s", answered(200, told), identity="shop")
    assert got == told
    assert request.startswith(b"POST /v1/identities/shop/rejections HTTP/1.1\r\n")
    assert b"\r\nPrefer: wait=5\r\n" in request
    assert request.endswith(b'\r\n\r\n{"sha256": "' + DIGEST.encode() + b'"}')


def test_a_report_without_a_name_is_of_the_usual_identity(tmp_path: Path):
    _, seen = reject(tmp_path / "s", status_of("build"), answered(200, {"outcome": "x"}), identity=None)
    assert seen[1].split()[1] == b"/v1/identities/build/rejections"
    got, _ = reject(tmp_path / "t", status_of("build", "shop"), identity=None)
    assert got == "1 you may see build, shop; name the one whose token it is"


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (answered(403, {"code": "access_denied", "detail": "no"}), "77 access_denied: no"),
        (answered(405, {"code": "method_not_allowed", "detail": "old"}), "1 method_not_allowed: old"),
        (answered(200, {"outcome": 1}), "69 the broker's answer is not understood"),
        (answered(200, []), "69 what listens there is no broker"),
    ],
)
def test_a_report_that_is_refused_or_not_understood_is_one_sentence(
    tmp_path: Path, reply: bytes, expected: str
):
    assert str(reject(tmp_path / "s", reply)[0]).startswith(expected)
