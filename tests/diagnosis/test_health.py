"""What a broker says of itself to anybody."""

from pathlib import Path

from broker import __version__
from broker.client.address import UnixAddress
from broker.diagnosis.finding import exit_code
from broker.diagnosis.health import health
from tests.client.scripted import answered, scripted
from tests.diagnosis.told import told

ALIVE = answered(200, {"status": "ok"})
READY = answered(200, {"ready": True, "draining": False, "identities": {"a": {"ready": True}}})


def built(version: str) -> bytes:
    return answered(200, f'# TYPE\nbroker_build_info{{python="3.11",version="{version}"}} 1.0\n'.encode())


def found(path: Path, *replies: bytes) -> list[str]:
    with scripted(path / "s", *replies):
        return told(health(UnixAddress(str(path / "s"), named=True)))


def test_alive_ready_and_of_one_version(tmp_path: Path):
    alive, ready, version = found(tmp_path, ALIVE, READY, built(__version__))
    assert alive.startswith("ok: alive: /livez was answered in ")
    assert ready == "ok: ready: 1 of 1 identities have a usable token"
    assert version == f"ok: version {__version__}, as this command"


def test_another_version_is_a_warning(tmp_path: Path):
    assert found(tmp_path, ALIVE, READY, built("0.0.9"))[-1] == (
        f"warning: the broker is of version 0.0.9, and this command of {__version__}; restart the broker after an upgrade"
    )


def test_an_identity_without_a_token_is_a_problem_with_its_reason(tmp_path: Path):
    empty = {"ready": False, "state": "empty", "reason": "key_rejected", "detail": "give another"}
    not_ready = answered(
        503, {"ready": False, "draining": False, "identities": {"a": empty, "b": {"ready": True}}}
    )
    assert found(tmp_path, ALIVE, not_ready, built(__version__))[1:-1] == [
        "problem: has no usable token: key_rejected: give another"
    ]


def test_one_that_ends_and_one_that_serves_no_health_are_warnings(tmp_path: Path):
    draining = answered(503, {"ready": False, "draining": True, "identities": {}})
    assert found(tmp_path, ALIVE, draining, answered(404, {}))[1:] == [
        "warning: is shutting down; wait for the next one",
        f"ok: its version was not told there; this command is {__version__}",
    ]
    (tmp_path / "2").mkdir()
    assert found(tmp_path / "2", answered(404, {}))[0].startswith("warning: ")


def test_none_there_is_69(tmp_path: Path):
    assert exit_code([*health(UnixAddress(str(tmp_path / "s"), named=True))]) == 69
