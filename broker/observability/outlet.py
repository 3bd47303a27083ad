"""Where the audit trail leaves the event loop: a bounded queue, and one thread that writes and may be blocked.

- `put` never waits and never raises for the world's sake: where the queue is full, the line is lost and counted.
- A line that cannot be written is lost and counted too. What comes after it waits in the queue and is tried after a
  growing pause; the first line that is written then says how many are missing.
- At the end the thread has DEADLINE seconds for what waits; a disk that is dead does not hold up a stop.
"""

import threading
from collections import deque
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from broker.observability.record import Record, lost

MOST_LINES = 4096
MOST_BYTES = 1024 * 1024
FIRST_PAUSE = 1.0  # seconds, doubling
LONGEST_PAUSE = 30.0
DEADLINE = 2.0  # seconds


class Sink(Protocol):
    """One kind of outlet. All of it is called from one thread, which it may block."""

    @property
    def where(self) -> str:
        """The place, for people."""
        ...

    def write(self, record: Record) -> None:
        """Write it whole. Raises OSError where it is not written, or not whole."""
        ...

    def remedy(self, error: OSError) -> str:
        """What to do about an error of `write`."""
        ...

    def close(self) -> None:
        """Give back what it holds."""
        ...


class Outlet:
    """Takes records on the event loop; the rest happens in its thread."""

    def __init__(self, sink: Sink, wall: Callable[[], datetime]) -> None:
        """`wall` is the wall clock, for the lines about what was lost; it is asked in both threads."""
        self.lost = 0  # lines
        self._sink = sink
        self._wall = wall
        self._changed = threading.Condition()  # guards all that follows, and is never held over a write
        self._queue: deque[Record] = deque()
        self._bytes = 0
        self._flying: Record | None = None  # being written
        self._untold: list[int] = [0, 0]  # lines and requests whose loss the trail has not told
        self._since: datetime | None = None  # the first of them
        self._fault: str | None = None
        self._ending = self._given_up = False
        self._thread = threading.Thread(target=self._run, name="audit", daemon=True)
        self._thread.start()

    @property
    def trouble(self) -> str | None:
        """Why lines are being lost, as one sentence with the remedy; None while all is well."""
        if self._fault is None and not self._thread.is_alive() and not self._ending:
            return "the audit trail has ended by a defect; restart the broker, and please report it"
        return self._fault

    @property
    def untold(self) -> int:
        """The lost lines that the trail has not told."""
        return self._untold[0]

    def put(self, record: Record) -> None:
        """Have it written, soon."""
        with self._changed:
            if len(self._queue) >= MOST_LINES or self._bytes + len(record.line) > MOST_BYTES:
                self._lose(record)
                if self._fault is None:
                    self._fault = self._told(TimeoutError())
            else:
                self._queue.append(record)
                self._bytes += len(record.line)
            self._changed.notify()

    def close(self) -> None:
        """Write what waits, and end; what is not written in time is lost."""
        with self._changed:
            self._ending = True
            self._changed.notify()
        self._thread.join(DEADLINE)
        with self._changed:
            self._given_up = True
            flying = () if self._flying is None else (self._flying,)
            for record in (*flying, *self._queue):
                self._lose(record)
            self._queue.clear()
            self._flying = None

    def _run(self) -> None:
        pause = 0.0
        try:
            while (record := self._next(pause)) is not None:
                try:
                    self._sink.write(record)
                except OSError as error:
                    pause = min(LONGEST_PAUSE, max(FIRST_PAUSE, 2 * pause))
                    self._failed(error)
                else:
                    pause = 0.0
                    self._written(record)
        finally:
            # Nobody else may: while a write hangs, the descriptor must not come to mean another file.
            self._sink.close()

    def _next(self, pause: float) -> Record | None:
        """What is to be written next, after so many seconds; None: nothing ever."""
        with self._changed:
            if not pause:
                self._changed.wait_for(lambda: self._queue or self._since or self._ending)
            elif not self._ending:
                self._changed.wait_for(lambda: self._ending, pause)
            else:
                return None
            if self._given_up:
                return None
            if self._since is not None:
                lines, requests = self._untold
                return lost(lines, requests, self._since, self._wall())
            if not self._queue:
                return None
            self._flying = self._queue.popleft()
            self._bytes -= len(self._flying.line)
            return self._flying

    def _failed(self, error: OSError) -> None:
        with self._changed:
            self._fault = self._told(error)
            if self._flying is not None:
                self._lose(self._flying)
                self._flying = None

    def _written(self, record: Record) -> None:
        with self._changed:
            if self._given_up:
                return
            if self._flying is None:
                self._tell(record)
            self._flying = None
            if self._since is None:
                self._fault = None

    def _tell(self, record: Record) -> None:
        """The trail has told of a loss; more may have been lost meanwhile."""
        for place, name in enumerate(("lines", "requests")):
            told = record.fields[name]
            self._untold[place] -= told if isinstance(told, int) else 0
        self._since = self._wall() if self._untold[0] else None

    def _lose(self, record: Record) -> None:
        self.lost += 1
        self._untold[0] += 1
        self._untold[1] += record.times
        self._since = self._since or self._wall()

    def _told(self, error: OSError) -> str:
        where, words = self._sink.where, error.strerror or "it takes fewer lines than come"
        return f"the audit trail cannot be written to {where} ({words.lower()}); {self._sink.remedy(error)}"
