"""A command that is run when a file has changed: as it is written, without a shell. Blocks until it has ended.

- It is given no secret: a few variables of the broker's own environment, the file's path and the identity.
- It has a process group of its own, and a time: then SIGTERM, and soon after SIGKILL, for all of the group.
- What it says is read to its end, so that it never waits for a reader, and the first part is kept. What it leaves running
  in the background is not waited for.
- It is waited for in all cases, or there would be a zombie.
"""

import os
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import IO

from broker.sinks.token_file import TokenFile

# What programs need to find others and to speak; a key is never among them.
_KEPT = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "XDG_RUNTIME_DIR")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
MOST_SAID = 4096  # bytes
_LAST_WORDS = 1.0  # seconds between SIGTERM and SIGKILL
_REAPED = 5.0  # seconds for the kernel to end what was killed
_LOOK = 0.05  # seconds
_ENDED = os.WEXITED | os.WNOWAIT | os.WNOHANG


@dataclass(frozen=True, slots=True)
class Ended:
    """What became of a run."""

    code: int | None  # the exit code, negative for a signal; None: it could not be started
    said: bytes  # the first part of what it wrote
    whole: bool  # whether that is all of it
    seconds: float
    trouble: str | None = None  # one sentence with the remedy


def variables(file: TokenFile, own: Mapping[str, str]) -> dict[str, str]:
    """Its environment; `own` is the broker's."""
    return {
        "PATH": _PATH,
        **{name: own[name] for name in _KEPT if name in own},
        "KAKAOCLOUD_BROKER_FILE": str(file.path),
        "KAKAOCLOUD_BROKER_FILE_IDENTITY": file.identity,
    }


def run(file: TokenFile, stop: threading.Event) -> Ended:
    """Run the file's command to its end, or until `stop` is set."""
    began = time.monotonic()
    program = file.on_change[0]
    try:
        child = subprocess.Popen(  # noqa: S603  (the administrator's own words)
            file.on_change, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd="/",
            env=variables(file, os.environ), start_new_session=True, bufsize=0,
        )  # fmt: skip
    except (OSError, ValueError) as error:
        reason = (
            os.strerror(error.errno).lower()
            if isinstance(error, OSError) and error.errno
            else "it is no command"
        )
        sentence = f"the command {program} of {file.path} cannot be started ({reason}); correct `on_change`"
        return Ended(None, b"", whole=True, seconds=0.0, trouble=sentence)
    assert child.stdout is not None  # noqa: S101  (it was asked for)
    with child.stdout as pipe:
        said, whole, in_time = _heard(child, pipe, began + file.timeout, stop)
        if child.poll() is None:
            _end(child)
    seconds = time.monotonic() - began
    return Ended(child.returncode, said, whole, seconds, _trouble(file, child.returncode, in_time, stop))


def _trouble(file: TokenFile, code: int | None, in_time: bool, stop: threading.Event) -> str | None:  # noqa: FBT001
    which = f"the command {file.on_change[0]} of {file.path}"
    if stop.is_set() and not in_time:
        return f"{which} was ended with the broker; run it by hand"
    if not in_time:
        return f"{which} had not ended after {file.timeout:g} s and was killed; run it by hand, or raise `on_change_timeout`"
    if code:
        how = f"exited with {code}" if code > 0 else f"was ended by {_signal(-code)}"
        return f"{which} {how}; what it said is in the broker's log: mend that and run it by hand"
    return None


def _heard(
    child: "subprocess.Popen[bytes]", pipe: IO[bytes], until: float, stop: threading.Event
) -> tuple[bytes, bool, bool]:
    """What it said, whether that is all, and whether it has ended in time."""
    said, whole = bytearray(), True
    os.set_blocking(pipe.fileno(), False)
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        speaks = True
        while time.monotonic() < until and not stop.is_set():
            ended = child.poll() is not None
            if speaks and selector.select(0.0 if ended else _LOOK):
                part = os.read(pipe.fileno(), 65536)
                speaks = bool(part)
                whole = whole and len(said) + len(part) <= MOST_SAID
                said += part[: MOST_SAID - len(said)]
            elif ended:
                return bytes(said), whole, True
            elif not speaks:
                stop.wait(_LOOK)
    return bytes(said), whole, child.poll() is not None


def _end(child: "subprocess.Popen[bytes]") -> None:
    """Its group, which keeps its number until the leader is waited for: it cannot be another's by then."""
    _send(child, signal.SIGTERM)
    until = time.monotonic() + _LAST_WORDS
    while time.monotonic() < until and os.waitid(os.P_PID, child.pid, _ENDED) is None:
        time.sleep(_LOOK)
    _send(child, signal.SIGKILL)
    # In the middle of a dead disk it does not end; it is waited for with the next one.
    with suppress(subprocess.TimeoutExpired):
        child.wait(_REAPED)


def _send(child: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):  # they have become another user's
        os.killpg(child.pid, number)


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
