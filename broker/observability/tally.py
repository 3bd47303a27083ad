"""How requests become lines of the audit trail: the first of a kind at once, more of the same counted into one line a minute.

- Nothing is dropped: what finds no room among the kinds is counted by its decision alone, in one line a minute.
- Memory is bounded by MOST_KINDS, and lines by a budget: a kind for which there is none waits for its turn, and counts on.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from broker.core.budget import Bucket

MOST_KINDS = 1024
PAUSE = 60.0  # seconds between two lines of one kind
BURST = 600  # lines


class Kind(NamedTuple):
    """What the requests of one line have in common; not the pid, which is another at each turn of a shell's loop."""

    decision: str
    by: str
    listener: str | None = None
    identity: str | None = None
    uid: int | None = None
    gid: int | None = None
    unit: str | None = None
    container: str | None = None
    digest: str | None = None  # of the token, the start of its SHA-256 in hex
    event: str = "token"  # a word of the code


class Seen(NamedTuple):
    """A request, or several that came at one moment."""

    times: int
    wall: datetime
    pid: int | None = None
    life: int | None = None  # seconds that the token had left


@dataclass(slots=True)
class Count:
    """The requests of a kind that have no line yet."""

    at: float  # when the last line was written, or counting began
    times: int = 0
    since: datetime | None = None
    last: Seen | None = None

    def add(self, seen: Seen) -> None:
        self.times += seen.times
        self.since = self.since or seen.wall
        self.last = seen


Emit = Callable[[Kind, Count], None]


class Tally:
    """Belongs to one event loop; `now` is CLOCK_BOOTTIME in seconds."""

    def __init__(self, every: float, emit: Emit) -> None:
        """At most BURST lines at once, and one per `every` seconds; `emit` writes one."""
        self._every = every
        self._emit = emit
        self._bucket: Bucket | None = None
        # In the order of their last lines: the first is the next to be due.
        self._kinds: dict[Kind, Count] = {}
        self._others: dict[tuple[str, str], Count] = {}  # by event and decision: words of the code

    def note(self, kind: Kind, seen: Seen, now: float) -> None:
        """Requests were judged."""
        count = self._kinds.get(kind)
        if count is not None:
            count.add(seen)
        elif len(self._kinds) >= MOST_KINDS:
            others = self._others.setdefault((kind.event, kind.decision), Count(now))
            others.add(Seen(seen.times, seen.wall))
        else:
            self._kinds[kind] = count = Count(now)
            count.add(seen)
            if self._spend(now):
                self._write(kind, count, now)

    def tick(self, now: float) -> None:
        """Write what has waited for its minute; forget what has not come again."""
        while self._kinds:
            kind, count = next(iter(self._kinds.items()))
            if now < count.at + PAUSE or (count.times and not self._spend(now)):
                break
            del self._kinds[kind]
            if count.times:
                self._write(kind, count, now)
        for words, count in list(self._others.items()):
            if now >= count.at + PAUSE:
                del self._others[words]
                self._emit(_other(*words), count)

    def close(self) -> None:
        """Write all that waits, however much: there is no later line for it."""
        for kind, count in self._kinds.items():
            if count.times:
                self._emit(kind, count)
        for words, count in self._others.items():
            self._emit(_other(*words), count)
        self._kinds.clear()
        self._others.clear()

    def _write(self, kind: Kind, count: Count, now: float) -> None:
        self._kinds[kind] = Count(now)
        self._emit(kind, count)

    def _spend(self, now: float) -> bool:
        bucket = self._bucket or Bucket.full(BURST, now)
        if bucket.ready_at(now, self._every) > now:
            return False
        self._bucket = bucket.taken(now, self._every)
        return True


def _other(event: str, decision: str) -> Kind:
    return Kind(decision, by="others", event=event)
