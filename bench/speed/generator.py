"""The load generator as the rest of the bench sees it: what it is asked for, and what it measured."""

import json
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.speed.processes import Failed, ran, started

_LONGER = 25.0  # seconds beyond the planned end; the generator gives up a little earlier itself


@dataclass(frozen=True, slots=True)
class Target:
    """Somebody who answers: where, to which requests, and by which processes."""

    where: Path | str  # of a Unix socket, or an address with its port
    requests: tuple[bytes, ...]
    pids: tuple[int, ...]
    lines: bool = False  # it speaks JSON in lines, not HTTP


@dataclass(frozen=True, slots=True)
class Work:
    """How somebody is asked; `rate` 0: as fast as the answers come."""

    callers: int = 16
    each_connects: bool = False
    rate: float = 0.0  # requests a second, whether answered or not
    seconds: float = 1.0
    warm_up: float = 0.3
    most: int = 0  # requests; 0: as many as there is time for


@dataclass(frozen=True, slots=True)
class Load:
    """What came of it; times in microseconds."""

    seconds: float
    requests: int
    errors: int
    unsent: int
    per_second: float
    p50: float
    p99: float
    p999: float
    longest: float
    cpu_seconds: float  # of the server
    answer_bytes: float

    @property
    def cpu_each(self) -> float:
        """Microseconds of the server's CPU time for each request."""
        return self.cpu_seconds / self.requests * 1e6


def parse(said: str) -> Load:
    """The generator's line. Raises Failed where it is none, or where nothing was answered."""
    try:
        load = Load(**json.loads(said))
    except (ValueError, TypeError):
        raise Failed(f"the load generator said what is not understood: {said[:200]!r}") from None
    if not load.requests:
        raise Failed(f"nothing was answered, and {load.errors} requests failed")
    return load


class Generator:
    """Puts load on somebody."""

    def __init__(self, program: Path) -> None:
        self._program = program

    def load(self, target: Target, work: Work) -> Load:
        """Do this work. Raises Failed."""
        words = ["-c", work.callers, "-d", work.seconds, "-w", work.warm_up, "-r", work.rate, "-n", work.most]
        words += ["-m", "conn" if work.each_connects else "keep", "-P", ",".join(map(str, target.pids))]
        within = work.seconds + work.warm_up + _LONGER
        return parse(ran([*self._command(target), *map(str, words)], asked=_stdin(target), within=within))

    @contextmanager
    def idle(self, target: Target, callers: int, seconds: float) -> Iterator["Idle"]:
        """So many connections that have asked once and stay open, for so many seconds at most. Raises Failed."""
        command = [*self._command(target), "-c", str(callers), "-d", str(seconds), "-i"]
        with started(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
            idle = Idle(child, _stdin(target))
            yield idle

    def _command(self, target: Target) -> Sequence[str]:
        how = ["-u" if isinstance(target.where, Path) else "-t", str(target.where)]
        return [str(self._program), *how, *(["-l"] if target.lines else [])]


class Idle:
    """Connections that are open and do nothing."""

    def __init__(self, child: subprocess.Popen[bytes], asked: bytes) -> None:
        self._child = child
        stdin, self._stdout = child.stdin, child.stdout
        if stdin is None or self._stdout is None:
            raise TypeError("the generator needs pipes")
        with stdin:
            stdin.write(asked)
        self.open = self._count()  # that were answered

    def still_open(self) -> int:
        """End them; how many of them were open until then."""
        self._child.send_signal(signal.SIGTERM)
        return self._count()

    def _count(self) -> int:
        said = self._stdout.readline() if self._stdout else b""
        try:
            return int(json.loads(said)["open"])
        except (ValueError, KeyError, TypeError):
            raise Failed(f"idle connections could not be made: {said!r}") from None


def _stdin(target: Target) -> bytes:
    return b"\0".join(target.requests)
