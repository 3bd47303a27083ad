"""Waiting for usable tokens: for whatever may mend itself, within the time, and with the last reason when it is over."""

import threading
import time
from pathlib import Path

import pytest

from broker.client import address, ready
from broker.client.failures import BadAddress, ClientError
from tests.client.scripted import Reply, answered, loopback, scripted

READY = answered(200, {"ready": True, "state": "fresh", "degraded": []})
WAITING = answered(
    503,
    {"ready": False, "state": "empty", "degraded": [], "reason": "not_ready", "detail": "it is on its way"},
)
UNKNOWN = answered(404, {"code": "not_found", "detail": "there is no identity of that name"})


def waited(
    path: Path, *replies: Reply, names: tuple[str, ...] = (), timeout: float = 5.0
) -> tuple[str, list[str]]:
    """What came of it, and what was asked."""
    with scripted(path, *replies) as seen:
        got = outcome({address.VARIABLE: f"unix://{path}"}, names, timeout)
    return got, [request.split()[1].decode() for request in seen]


def outcome(environ: dict[str, str], names: tuple[str, ...], timeout: float) -> str:
    try:
        ready.wait(environ, names, timeout)
    except ClientError as error:
        return f"{error.exit_code} {error}"
    return "ready"


def test_without_a_name_all_are_asked_for_at_once(tmp_path: Path):
    assert waited(tmp_path / "s", READY) == ("ready", ["/readyz"])


def test_each_name_is_asked_for_until_all_are_ready(tmp_path: Path):
    got, seen = waited(tmp_path / "s", READY, WAITING, READY, READY, names=("a", "b"))
    assert (got, seen) == ("ready", ["/readyz/a", "/readyz/b"] * 2)


def test_no_time_is_one_look(tmp_path: Path):
    got, seen = waited(tmp_path / "s", WAITING, names=("shop",), timeout=0)
    assert (got, len(seen)) == ("69 no usable token for shop: not_ready: it is on its way", 1)


def test_the_reason_of_all_is_that_of_the_first_that_is_not_ready(tmp_path: Path):
    reports = {
        "a": {"ready": True},
        "b": {"ready": False, "reason": "key_rejected", "detail": "give another"},
    }
    body = {"ready": False, "draining": False, "identities": reports}
    got, _ = waited(tmp_path / "s", answered(503, body), timeout=0)
    assert got == "69 no usable token for b: key_rejected: give another"


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (503, {"ready": False}, "no usable token: not_ready"),
        (503, {"ready": False, "identities": 1, "state": "empty"}, "no usable token: empty"),
        (503, {"ready": False, "draining": True}, "the broker is shutting down; wait for the next one"),
        (
            200,
            {"ready": "yes"},
            "readiness is not understood (status 200); are client and broker of one version?",
        ),
        (404, {}, "readiness is not understood (status 404); are client and broker of one version?"),
        (500, [], "what listens there is no broker; is KAKAOCLOUD_BROKER_URL right?"),
    ],
)
def test_other_answers_are_told_at_the_end(tmp_path: Path, status: int, body: object, told: str):
    assert waited(tmp_path / "s", answered(status, body), timeout=0)[0] == f"69 {told}"


def test_a_name_that_the_broker_does_not_know_is_not_waited_for(tmp_path: Path):
    got, seen = waited(tmp_path / "s", UNKNOWN, READY, names=("shpo",))
    assert got == "69 the broker has no identity 'shpo'; see `broker status`, and the names in its settings"
    assert len(seen) == 1


def test_a_refusal_is_not_waited_for(tmp_path: Path):
    got, seen = waited(tmp_path / "s", answered(403, {"code": "host_not_allowed", "detail": "why"}), READY)
    assert (got, len(seen)) == ("77 host_not_allowed: why", 1)


def test_an_impossible_address_is_not_waited_for():
    with pytest.raises(BadAddress):
        ready.wait({address.VARIABLE: "http://elsewhere:1"}, (), 60)


def test_a_broker_that_starts_later_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The socket is not there, then it is: unnamed, as for the usual client."""
    monkeypatch.setattr(address.find, "__defaults__", (str(tmp_path / "none"),))
    (tmp_path / "kakaocloud-broker").mkdir()
    found: list[str] = []
    waiter = threading.Thread(
        target=lambda: found.append(outcome({"XDG_RUNTIME_DIR": str(tmp_path)}, (), 20))
    )
    waiter.start()
    time.sleep(0.05)
    with scripted(tmp_path / "kakaocloud-broker/broker.sock", READY):
        waiter.join()
    assert found == ["ready"]


def test_the_time_is_kept_even_where_nobody_answers(tmp_path: Path):
    began = time.monotonic()
    got, _ = waited(tmp_path / "s", None, timeout=0.2)
    assert got.startswith("69 the broker at ")
    assert time.monotonic() - began < 3


def test_over_loopback_it_is_the_same():
    server, port = loopback()
    with scripted(server, WAITING, READY):
        assert outcome({address.VARIABLE: f"http://127.0.0.1:{port}"}, (), 5) == "ready"
