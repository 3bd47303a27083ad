"""A program that reads a token file in a loop, as fast as it can, and judges each content; a process of its own.

    python token_reader.py FILE sequence|json

It ends on SIGTERM, with its figures as JSON on stdout. What must never be seen ends it at once, with exit code 1. Of each form:

- `sequence`: the token `N:END`, with END on CLOCK_BOOTTIME, at the beginning and at the end of a long file.
- `json`: the form of that name.

A token that was in the file when it was opened must have been good a moment before that: the clock is read first.
"""

import json
import os
import signal
import stat
import sys
import time
from datetime import UTC, datetime


class Wrong(Exception):
    """What must never be seen."""


def judge_sequence(content: str, before: float) -> str:
    """The token; raises Wrong."""
    first, _, rest = content.partition("\n")
    last = rest.rpartition("\n")[2]
    if first != last or not first:
        raise Wrong(f"torn: it begins with {first[:40]!r} and ends with {last[:40]!r}")
    number, _, end = first.partition(":")
    if float(end) <= before:
        raise Wrong(f"token {number} had ended {before - float(end):.3f} s ago")
    return first


def judge_json(content: str, before: datetime) -> str:
    """The token; raises Wrong."""
    try:
        tree = json.loads(content)
        end, token = datetime.fromisoformat(tree["expires_at"]), str(tree["token"])
    except (ValueError, KeyError) as error:
        raise Wrong(f"torn: {len(content)} bytes are no answer") from error
    if end <= before:
        raise Wrong(f"it had ended {(before - end).total_seconds():.3f} s ago")
    return token


def main(path: str, form: str) -> None:
    """Read until SIGTERM."""
    going = True

    def stop(*_: object) -> None:
        nonlocal going
        going = False

    signal.signal(signal.SIGTERM, stop)
    read = absent = tokens = gone = 0
    last = None
    while going:
        boot, wall = time.clock_gettime(time.CLOCK_BOOTTIME), datetime.now(UTC)
        try:
            with open(path, encoding="utf-8") as file:  # noqa: PTH123  (the fewest steps between clock and file)
                mode, content = stat.S_IMODE(os.fstat(file.fileno()).st_mode), file.read()
        except FileNotFoundError:
            absent += 1
            gone += last is not None
            last = None
            time.sleep(0.0005)
            continue
        if not content:
            raise Wrong("empty")
        if mode != 0o600:
            raise Wrong(f"mode {mode:04o}")
        token = judge_sequence(content, boot) if form == "sequence" else judge_json(content, wall)
        tokens += token != last
        last = token
        read += 1
    print(json.dumps({"read": read, "absent": absent, "tokens": tokens, "gone": gone}))  # noqa: T201


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except Wrong as wrong:
        sys.exit(f"the reader saw what must never be seen: {wrong}")
