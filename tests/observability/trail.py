"""What the tests of the audit trail share: a caller, a place that keeps records, and a sink that a test holds up."""

import json
import time
from collections.abc import Callable
from threading import Event
from typing import Any

from broker.core.access import Workload
from broker.observability.outlet import Sink
from broker.observability.record import Record, record

DIGEST = "0123456789abcdef" * 4
CALLER = Workload(1001, 1002, 77, "/run/b.sock", frozenset({5}), unit="app.service", container="c" * 64)


class Kept:
    """Implements the audit's `Drain`: keeps all that is put."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def put(self, given: Record) -> None:
        self.records.append(given)

    @property
    def lines(self) -> list[dict[str, Any]]:
        return parsed(b"".join(given.line for given in self.records))

    def times(self) -> list[object]:
        return [given.fields["times"] for given in self.records]


class Gate:
    """Implements the outlet's `Sink`: keeps what it writes, fails as told, and waits while it is shut."""

    where = "the gate"

    def __init__(self) -> None:
        self.written: list[Record] = []
        self.error: OSError | None = None
        self.watch: Callable[[], object] = lambda: None  # what a test wants to know of each write
        self.seen: list[object] = []
        self.open = Event()
        self.open.set()
        self.entered = Event()
        self.closed = Event()

    def write(self, given: Record) -> None:
        self.seen.append(self.watch())
        self.entered.set()
        assert self.open.wait(30)
        if self.error is not None:
            raise self.error
        self.written.append(given)

    def remedy(self, error: OSError) -> str:
        return f"mend {error.errno}"

    def close(self) -> None:
        self.closed.set()

    def events(self) -> list[object]:
        return [given.fields["event"] for given in self.written]


def numbered(number: int, times: int = 1) -> Record:
    """A record that can be told from others."""
    return record({"event": "token", "number": number, "times": times}, times)


def filled(sink: Sink) -> tuple[int, OSError]:
    """Write until nothing more is taken: how many lines were, and why not the next."""
    for number in range(1_000_000):
        try:
            sink.write(numbered(number, times=10**300))
        except OSError as error:
            return number, error
    raise AssertionError("it is never full")


def parsed(text: bytes) -> list[dict[str, Any]]:
    """Every line is one JSON object, and the last one is whole."""
    assert not text or text.endswith(b"\n")
    return [json.loads(line) for line in text.splitlines()]


def until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    """Wait for what another thread does."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.002)
