"""The processes of a run: each is started here, and has ended before its context has.

- They have a session of their own: Ctrl-C at the terminal reaches the bench alone, which ends them in order.
- They inherit nothing of this host's own keys, proxies and brokers.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

Word = str | Path
_ENDS_WITHIN = 15.0  # seconds after SIGTERM; a drain takes less
_TAIL = 1500  # characters of what it said that explain a failure


class Failed(Exception):
    """A process did not do its work; the message is for the person who ran the bench."""


def environment(own: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of every process, with `own`."""
    plain = {
        name: value
        for name, value in os.environ.items()
        if not (name.startswith(("KAKAOCLOUD_", "OS_", "AWS_")) or name.lower().endswith("_proxy"))
    }
    return plain | dict(own or {})


def ran(
    command: Sequence[Word],
    *,
    asked: bytes = b"",
    within: float,
    own: Mapping[str, str] | None = None,
    everything: bool = False,
    merged: bool = False,
) -> str:
    """Run it to its end with `asked` on stdin; what it said. Raises Failed.

    `merged`: on stderr too. `everything`: with all of this host's environment, as what installs packages needs.
    """
    pipe = subprocess.PIPE
    stderr = subprocess.STDOUT if merged else pipe
    with started(command, own, everything=everything, stdin=pipe, stdout=pipe, stderr=stderr) as child:
        try:
            out, err = child.communicate(asked, timeout=within)
        except subprocess.TimeoutExpired:
            raise Failed(f"{_named(command)} took longer than {within:.0f} s") from None
    if child.returncode != 0:
        said = (err or out).decode(errors="replace")[-_TAIL:]
        raise Failed(f"{_named(command)} ended with {child.returncode}: {said}")
    return out.decode()


@contextmanager
def started(
    command: Sequence[Word],
    own: Mapping[str, str] | None = None,
    *,
    everything: bool = False,
    stdin: int = subprocess.DEVNULL,
    stdout: int | IO[bytes] = subprocess.DEVNULL,
    stderr: int | IO[bytes] = subprocess.DEVNULL,
) -> Iterator[subprocess.Popen[bytes]]:
    """A process that ends with the context at the latest."""
    with subprocess.Popen(  # noqa: S603  (the commands are the bench's own)
        command,
        env={**os.environ, **(own or {})} if everything else environment(own),
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,
    ) as child:
        try:
            yield child
        finally:
            _end(child)


@contextmanager
def server(
    command: Sequence[Word], log: Path, up: Callable[[], bool], own: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A process that serves for as long as the context lasts, from when `up` says so. Raises Failed."""
    with (
        log.open("wb") as said,
        started(command, own, stdout=said, stderr=subprocess.STDOUT) as child,
    ):
        try:
            wait_until(up, 60.0, _named(command), lambda: child.poll() is None)
        except Failed as error:
            raise Failed(f"{error}: {log.read_text(errors='replace')[-_TAIL:]}") from None
        yield child


def wait_until(
    true: Callable[[], bool], within: float, what: str, alive: Callable[[], bool] = lambda: True
) -> None:
    """Ask until it is true. Raises Failed."""
    until = time.monotonic() + within
    while not true():
        if not alive():
            raise Failed(f"{what} ended at its start")
        if time.monotonic() > until:
            raise Failed(f"{what} was not there within {within:.0f} s")
        time.sleep(0.01)


def _end(child: subprocess.Popen[bytes]) -> None:
    """End it with all that it has started, which is in its session."""
    if child.poll() is None:
        os.killpg(child.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            child.wait(_ENDS_WITHIN)
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _named(command: Sequence[Word]) -> str:
    return " ".join([Path(command[0]).name, *(str(word) for word in command[1:3])])
