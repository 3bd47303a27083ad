"""One line of the audit trail, and how many requests it stands for."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

# Bytes: a pipe takes so many whole or not at all (PIPE_BUF), so that no reader finds half a line.
LONGEST = 4096
_LONGEST_TEXT = 256  # characters; the longest is the name of a unit, and systemd allows 255

Value = str | int | bool | None


@dataclass(frozen=True, slots=True)
class Record:
    """A line, and its fields for whoever keeps them apart."""

    fields: Mapping[str, Value]
    times: int  # the requests that it stands for
    line: bytes  # JSON in ASCII, with its newline


def record(fields: Mapping[str, Value], times: int) -> Record:
    """The line of these fields, of at most LONGEST bytes."""
    cut = {name: _cut(value) for name, value in fields.items()}
    line = _line(cut)
    if len(line) > LONGEST:
        # Six bytes a character: nothing but names made of what is no text come here.
        line = _line({name: _plain(value) for name, value in cut.items()})
    return Record(cut, times, line)


def lost(lines: int, requests: int, since: datetime, now: datetime) -> Record:
    """What is said once an outlet works again: what it could not take since then."""
    fields: dict[str, Value] = {"time": moment(now), "event": "lost", "lines": lines, "requests": requests}
    return record(fields | {"since": moment(since)}, 0)


def moment(when: datetime) -> str:
    """A time of the wall clock in UTC, as RFC 3339 with milliseconds."""
    return when.strftime("%Y-%m-%dT%H:%M:%S.") + f"{when.microsecond // 1000:03}Z"


def _line(fields: Mapping[str, Value]) -> bytes:
    # ASCII alone: whatever stands in a path, a line is one line, and no terminal takes it for a command.
    return json.dumps(fields, separators=(",", ":")).encode() + b"\n"


def _cut(value: Value) -> Value:
    return value[:_LONGEST_TEXT] if isinstance(value, str) else value


def _plain(value: Value) -> Value:
    return re.sub(r"[^ -~]", "?", value) if isinstance(value, str) else value
