"""The audit trail in the journal, played by a socket of the test's own: its fields, and a journal that goes and comes."""

import errno
import os
from datetime import datetime
from pathlib import Path

import pytest

from broker.core.errors import ConfigError
from broker.observability import outlet, to_journald
from broker.observability.audit import Audit
from broker.observability.outlet import Outlet
from broker.observability.record import record
from broker.observability.to_journald import ToJournald, datagram
from tests.fakes.clock import EPOCH
from tests.observability.played import Journal, fields
from tests.observability.trail import CALLER, DIGEST, Kept, filled, numbered, until


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal"


def wall() -> datetime:
    return EPOCH


def test_a_line_comes_whole_with_its_fields_beside_it(path: Path):
    journal, kept = Journal(path), Kept()
    audit = Audit(kept, wall)
    audit.handed(CALLER, "default", "owner", DIGEST, 60.0, 0.0)
    audit.refused(None, "/run/b.sock", None, "caller_unknown", "proof", 0.0)
    sink = ToJournald(path)
    for each in kept.records:
        sink.write(each)
    token, refusal = journal.receive(), journal.receive()
    assert token["MESSAGE"].encode() + b"\n" == kept.records[0].line
    assert (token["PRIORITY"], refusal["PRIORITY"]) == ("6", "5")
    assert token["SYSLOG_IDENTIFIER"] == "kakaocloud-broker"
    assert {name: value for name, value in token.items() if name.startswith("KAKAOCLOUD_BROKER_")} == {
        f"KAKAOCLOUD_BROKER_{name}": value
        for name, value in {
            "TIME": "2026-01-01T00:00:00.000Z", "EVENT": "token", "UID": "1001", "GID": "1002", "PID": "77",
            "UNIT": "app.service", "CONTAINER": "c" * 64, "LISTENER": "/run/b.sock", "IDENTITY": "default",
            "DECISION": "allowed", "BY": "owner", "TOKEN_SHA256": "0123456789ab", "LIFE_LEFT": "60", "TIMES": "1",
            "AGGREGATED": "true",
        }.items()
    }  # fmt: skip
    assert "KAKAOCLOUD_BROKER_UID" not in refusal
    sink.close()
    journal.close()


@pytest.mark.parametrize("text", ["a\nMESSAGE=forged", "=", "\udcff\n\ud800", "\0"])
def test_no_text_can_make_a_field_of_its_own(text: str):
    found = list(fields(datagram(record({"event": "token", "unit": text}, 1))))
    assert [name for name, _ in found] == [
        "MESSAGE",
        "PRIORITY",
        "SYSLOG_IDENTIFIER",
        "KAKAOCLOUD_BROKER_EVENT",
        "KAKAOCLOUD_BROKER_UNIT",
    ]
    assert found[-1][1] == text.encode(errors="backslashreplace").decode()


def test_a_journal_that_goes_is_trouble_and_when_it_is_back_it_hears_what_is_missing(
    path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(outlet, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(outlet, "LONGEST_PAUSE", 0.01)
    journal = Journal(path)
    out = Outlet(ToJournald(path), wall)
    out.put(numbered(1))
    assert journal.receive()["KAKAOCLOUD_BROKER_NUMBER"] == "1"
    journal.close()
    out.put(numbered(2))
    until(lambda: out.trouble)
    assert "journald (connection refused); see `systemctl status systemd-journald`" in str(out.trouble)
    path.unlink()
    out.put(numbered(3))
    until(lambda: "no such file" in str(out.trouble))
    journal = Journal(path)
    lost = journal.receive()
    assert (lost["KAKAOCLOUD_BROKER_EVENT"], lost["KAKAOCLOUD_BROKER_LINES"], lost["PRIORITY"]) == (
        "lost",
        "1",
        "4",
    )
    assert journal.receive()["KAKAOCLOUD_BROKER_NUMBER"] == "3"
    until(lambda: out.trouble is None)
    out.close()
    journal.close()


def test_a_journal_that_reads_nothing_is_waited_for_a_moment_and_then_trouble(
    path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(to_journald, "PATIENCE", 0.01)
    journal = Journal(path)
    sink = ToJournald(path)
    _, error = filled(sink)
    assert error.errno == errno.EAGAIN
    assert journal.receive()["KAKAOCLOUD_BROKER_NUMBER"] == "0"
    sink.close()
    journal.close()


@pytest.mark.parametrize("kind", ["missing", "file"])
def test_without_a_journal_it_is_a_mistake(path: Path, kind: str):
    if kind == "file":
        path.touch()
    with pytest.raises(ConfigError) as caught:
        ToJournald(path)
    assert str(caught.value) == (
        f"log.audit: is journald, and there is no socket at {path}; "
        'start systemd-journald, or in a container mount that socket; or write "stdout"'
    )


def test_who_may_not_write_to_it_is_told_what_to_allow(path: Path):
    journal, denied = Journal(path), PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    sink = ToJournald(path)
    assert sink.remedy(denied) == f"let the broker write to {path}"
    sink.close()
    journal.close()
