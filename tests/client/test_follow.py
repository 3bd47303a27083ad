"""Each new token once, through restarts, on a clock that only pauses move."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.client import address, follow
from broker.client.failures import BadAddress, ClientError, Denied, Unreachable
from tests.client.scripted import Reply, answered, scripted

UNCHANGED = b"HTTP/1.1 304 Not Modified\r\n\r\n"
DOWN = answered(503, {"code": "iam_unavailable", "detail": "it is down", "retry_after": 7})
DENIED = answered(403, {"code": "access_denied", "detail": "why"})


def good(value: str) -> bytes:
    return answered(200, {"token": value}, head=f'ETag: W/"{value}"\r\n')


class Time:
    """Pauses, which take no time here."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return 0.0

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    time = Time()
    monkeypatch.setattr(follow, "time", time)
    return time


def followed(path: Path, *replies: Reply) -> tuple[list[str], list[str], list[bytes]]:
    """Tokens, and last how it ended; what was told of absences; the requests."""
    away: list[str] = []
    found: list[str] = []
    with scripted(path, *replies) as seen:
        try:
            found.extend(
                str(answer.tree()["token"])
                for answer in follow.tokens({address.VARIABLE: f"unix://{path}"}, None, 1, 600, away.append)
            )
        except ClientError as error:
            found.append(f"{error.exit_code} {error}")
    return found, away, seen


@pytest.mark.usefixtures("time")
def test_a_poll_names_what_is_known_and_waits(tmp_path: Path):
    found, away, seen = followed(tmp_path / "s", good("a"), UNCHANGED, good("b"), DENIED)
    assert (found, away) == (["a", "b", "77 access_denied: why"], [])
    first, *polls = [request.decode() for request in seen]
    assert "If-None-Match" not in first
    assert all(poll.startswith("GET /v1/token?min_ttl=600 ") for poll in polls)
    assert all("\r\nPrefer: wait=30\r\n" in poll for poll in polls)
    told = ['W/"a"', 'W/"a"', 'W/"b"']
    assert all(f"\r\nIf-None-Match: {tag}\r\n" in poll for tag, poll in zip(told, polls, strict=True))


def test_a_server_that_does_not_wait_is_not_flooded_and_the_same_token_is_no_news(tmp_path: Path, time: Time):
    found, _, _ = followed(tmp_path / "s", *[answered(200, {"token": "a"})] * 3, UNCHANGED, UNCHANGED, DENIED)
    assert found[:-1] == ["a"]
    assert time.slept == [1.0] * 4


def test_an_absence_is_told_once_however_long_and_again_when_it_comes_again(tmp_path: Path, time: Time):
    found, away, _ = followed(
        tmp_path / "s", good("a"), b"", b"", DOWN, good("b"), DOWN, UNCHANGED, DOWN, DENIED
    )
    assert found[:-1] == ["a", "b"]
    down = "no token: iam_unavailable: it is down; the broker tries again in 7 s"
    assert len(away) == 3
    assert "broke off" in away[0]
    assert away[1:] == [down, down]
    assert time.slept == [1, 1, 7, 1, 7, 1, 7]


@pytest.mark.parametrize("told", [0, 1e9, None])
def test_a_strange_time_to_come_back_neither_floods_nor_sleeps_for_ever(
    tmp_path: Path, time: Time, told: object
):
    problem = answered(503, {"code": "not_ready", "detail": "x", "retry_after": told})
    followed(tmp_path / "s", good("a"), problem, DENIED)
    assert 1 <= time.slept[0] <= 30


def test_the_first_token_fails_as_ever(tmp_path: Path):
    with pytest.raises(Unreachable, match="no broker is running"):
        next(_tokens(f"unix://{tmp_path}/s"))
    with pytest.raises(BadAddress):
        next(_tokens("http://elsewhere:1"))
    with scripted(tmp_path / "s", DENIED), pytest.raises(Denied):
        next(_tokens(f"unix://{tmp_path}/s"))


def _tokens(url: str) -> Iterator[object]:
    return follow.tokens({address.VARIABLE: url}, None, 0, None, pytest.fail)
