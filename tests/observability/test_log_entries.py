"""The log in the journal: each event an entry with priority and fields, no secret in it, and nothing lost without a journal."""

import contextlib
import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from broker.observability import journald, log_entries, logs
from broker.observability.log_entries import LogEntries
from tests.observability.played import Journal
from tests.observability.test_logs import TOKEN, fail


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Of the journal's socket; the log goes there."""
    path = tmp_path / "journal"
    monkeypatch.setattr(logs, "LogEntries", lambda: LogEntries(path))
    logs.configure("debug", "journald")
    yield path
    for handler in logging.getLogger().handlers:
        if isinstance(handler, LogEntries):
            handler.close()


def test_an_event_is_an_entry_with_its_fields_and_a_message_for_people(
    path: Path, capsys: pytest.CaptureFixture[str]
):
    journal = Journal(path)
    structlog.get_logger().warning(
        "issue_failed", identity="default", detail='IAM says "no"', count=2, roles=["a"], new=True, none=None
    )
    told = journal.receive()
    assert told == {
        "MESSAGE": r'issue_failed identity=default detail="IAM says \"no\"" count=2 roles=["a"] new=true none=null',
        "PRIORITY": "4",
        "SYSLOG_IDENTIFIER": "kakaocloud-broker",
        "KAKAOCLOUD_BROKER_EVENT": "issue_failed",
        "KAKAOCLOUD_BROKER_IDENTITY": "default",
        "KAKAOCLOUD_BROKER_DETAIL": 'IAM says "no"',
        "KAKAOCLOUD_BROKER_COUNT": "2",
        "KAKAOCLOUD_BROKER_ROLES": '["a"]',
        "KAKAOCLOUD_BROKER_NEW": "true",
    }
    assert capsys.readouterr() == ("", "")
    journal.close()


@pytest.mark.parametrize(
    ("level", "priority"),
    [("debug", "7"), ("info", "6"), ("warning", "4"), ("error", "3"), ("critical", "2")],
)
def test_each_level_has_its_priority_whoever_tells_it(path: Path, level: str, priority: str):
    journal = Journal(path)
    getattr(structlog.get_logger(), level)("ours")
    getattr(logging.getLogger("anything.else"), level)("theirs: %s", "x")
    ours, theirs = journal.receive(), journal.receive()
    assert (ours["PRIORITY"], theirs["PRIORITY"]) == (priority, priority)
    assert (ours["MESSAGE"], theirs["MESSAGE"]) == ("ours", "theirs: x")
    journal.close()


def test_a_traceback_stands_below_the_message_and_no_token_is_told(path: Path):
    journal = Journal(path)
    try:
        fail()
    except ValueError:
        structlog.get_logger().exception("flight_defect", said=TOKEN)
    told = journal.receive()
    first, *below = told["MESSAGE"].split("\n")
    assert first.startswith("flight_defect said=")
    assert "Traceback (most recent call last):" in below
    assert below[-1].startswith("ValueError: no good")
    assert TOKEN not in json.dumps(told)
    journal.close()


@pytest.mark.parametrize("text", ["a\nPRIORITY=0", "x=y z", "\udcff", "\0", "a\nb\n"])
def test_no_text_makes_a_field_of_its_own(path: Path, text: str):
    journal = Journal(path)
    structlog.get_logger().info("refused", detail=text)
    told = journal.receive()
    assert set(told) == {
        "MESSAGE",
        "PRIORITY",
        "SYSLOG_IDENTIFIER",
        "KAKAOCLOUD_BROKER_EVENT",
        "KAKAOCLOUD_BROKER_DETAIL",
    }
    assert told["PRIORITY"] == "6"
    assert told["KAKAOCLOUD_BROKER_DETAIL"].encode() == text.encode(errors="backslashreplace")
    assert "\n" not in told["MESSAGE"]
    journal.close()


def test_a_name_that_the_journal_would_drop_is_made_one_that_it_keeps():
    (_, _, _, line, _) = journald.entry("m", 6, {"a-b. c" + "x" * 80: 1}).split(b"\n")
    name, _, value = line.partition(b"=")
    assert (name, value) == (b"KAKAOCLOUD_BROKER_A_B__C" + b"X" * 40, b"1")
    assert len(name) == 64


def on_stderr(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    """The lines there, each with its priority before it."""
    lines = capsys.readouterr().err.splitlines()
    assert all(line.startswith("<6>{") for line in lines)
    return [json.loads(line.removeprefix("<6>")) for line in lines]


def test_what_the_journal_does_not_take_is_a_line_on_stderr_and_it_is_there_again_when_it_is_back(
    path: Path, capsys: pytest.CaptureFixture[str]
):
    log = structlog.get_logger()
    log.info("none")
    assert [line["event"] for line in on_stderr(capsys)] == ["none"]
    journal = Journal(path)
    log.info("back")
    assert journal.receive()["MESSAGE"] == "back"
    for number in range(2000):  # it stops reading
        log.info("busy", number=number)
    busy = [line["number"] for line in on_stderr(capsys)]
    assert busy
    assert busy[-1] == 1999
    assert journal.receive()["KAKAOCLOUD_BROKER_NUMBER"] == "0"
    journal.close()
    path.unlink()
    log.info("gone")
    log.info("large", text="x" * 1_000_000)
    assert [line["event"] for line in on_stderr(capsys)] == ["gone", "large"]


def test_what_nobody_takes_is_counted_and_told_when_somebody_does(
    path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Rule: the event loop writes the log, so it waits for nobody."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writing, bytes(65536))
    monkeypatch.setattr(log_entries, "_STDERR", writing)
    log = structlog.get_logger()
    log.info("first")
    log.info("second")
    journal = Journal(path)
    log.info("third")
    lost, third = journal.receive(), journal.receive()
    assert (lost["MESSAGE"], lost["PRIORITY"], lost["KAKAOCLOUD_BROKER_LINES"]) == (
        "log_lost lines=2",
        "4",
        "2",
    )
    assert third["MESSAGE"] == "third"
    log.info("fourth")
    assert journal.receive()["MESSAGE"] == "fourth"
    journal.close()
    os.close(reading)
    os.close(writing)


@pytest.mark.parametrize("text", ["\x1b[31mroot", "a\x7f", "\u009b31m", "\u202egnp"])
def test_no_text_in_a_message_is_a_command_to_a_terminal(path: Path, text: str):
    journal = Journal(path)
    structlog.get_logger().info("refused", detail=text)
    assert journal.receive()["MESSAGE"].isprintable()
    journal.close()
