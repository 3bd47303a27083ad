"""A line of the audit trail is one line of ASCII, whatever stands in a path, and never too long for a pipe."""

import json
from datetime import UTC, datetime

import pytest

from broker.observability.record import LONGEST, Value, lost, moment, record

WHEN = datetime(2026, 1, 2, 3, 4, 5, 6789, tzinfo=UTC)


@pytest.mark.parametrize("text", ["a\nb", "\x1b[31m\r\0", '"}{"', "\udcff", "é", "한국", "\u2028", "\\x2d"])
def test_a_line_is_one_line_of_ascii_and_means_what_was_given(text: str):
    line = record({"event": "token", "unit": text}, 1).line
    assert line.isascii()
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert json.loads(line)["unit"] == text


@pytest.mark.parametrize("letter", ["u", "\0", "\udcff", "é", '"', "\U0001f600"])
def test_no_line_is_longer_than_what_a_pipe_takes_whole(letter: str):
    names = ("unit", "container", "listener", "identity", "by", "decision")
    made = record({"event": "token", "times": 10**9, **dict.fromkeys(names, letter * 10_000)}, 1)
    assert len(made.line) <= LONGEST
    assert json.loads(made.line).keys() == made.fields.keys()


def test_the_longest_line_of_usual_letters_is_what_the_docstring_of_the_audit_counts_with():
    times: dict[str, Value] = {"time": moment(WHEN), "since": moment(WHEN)}
    numbers: dict[str, Value] = {
        "uid": 2**32 - 2,
        "gid": 2**32 - 2,
        "pid": 2**22,
        "life_left": 43200,
        "times": 10**7,
    }
    names: dict[str, Value] = {
        "unit": "u" * 255,
        "container": "c" * 64,
        "listener": "l" * 107,
        "identity": "i" * 63,
        "by": "b" * 30,
    }
    fixed: dict[str, Value] = {
        "event": "refusal",
        "decision": "metadata_header_missing",
        "token_sha256": "f" * 12,
        "aggregated": True,
    }
    assert 800 < len(record({**times, **numbers, **names, **fixed}, 1).line) <= 850


def test_a_moment_is_utc_to_the_millisecond():
    assert moment(WHEN) == "2026-01-02T03:04:05.006Z"


def test_a_loss_stands_for_no_request_but_tells_of_them():
    made = lost(3, 700, WHEN, WHEN)
    assert made.times == 0
    assert json.loads(made.line) == {
        "time": "2026-01-02T03:04:05.006Z",
        "event": "lost",
        "lines": 3,
        "requests": 700,
        "since": "2026-01-02T03:04:05.006Z",
    }
