"""The log of refused requests: who was refused, once, and how often since.

- `refused` is told at once for a new (reason, uid, listener), and from then on at most once a minute, with `repeated`:
  the refusals since the last line, this one included. A program that asks in a loop costs one line a minute.
- Of the request only the route's pattern is told: no header, no Host, no Origin; a stranger wrote those.
- Memory and lines are bounded: whoever can take many uids can neither fill one nor flood the other. Past the bound,
  `refused_unlisted` counts at most once a minute.
- A denial is a warning. What is no sign of trouble with access (a bad request, an unknown path, a late one) is told at info,
  in a book of its own, so that a flood of those cannot take the denials' place.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from broker.core.access import Workload

_log = structlog.get_logger()

# What an operator may have to act on: a missing grant, someone who tries a way in, or who takes all connections.
DENIALS = frozenset({
    "access_denied",
    "browser_request",
    "caller_unknown",
    "forwarded_request",
    "host_not_allowed",
    "metadata_header_missing",
    "too_many_connections",
})  # fmt: skip
MOST_REMEMBERED = 256
PAUSE = 60.0  # seconds between two lines on the same


@dataclass(slots=True)
class _Told:
    """When a line was written, and the refusals since."""

    at: float
    since: int = 0


class Refusals:
    """Remembers what was told; belongs to one event loop and has no clock of its own."""

    def __init__(self) -> None:
        self._denials, self._others = _Book(denials=True), _Book(denials=False)

    def tell(self, reason: str, caller: Workload | None, listener: str, route: str, now: float) -> None:
        """A request was refused at `now`; `caller` is None where the kernel proved none."""
        uid, pid, unit = (None, None, None) if caller is None else (caller.uid, caller.pid, caller.unit)
        fields = {
            "reason": reason, "uid": uid, "pid": pid, "unit": unit, "listener": listener, "route": route,
        }  # fmt: skip
        book = self._denials if reason in DENIALS else self._others
        book.tell((reason, uid, listener), fields, now)


class _Book:
    """The lines of one level: of denials, or of what is none."""

    def __init__(self, *, denials: bool) -> None:
        self._denials = denials
        # In the order of the last line about each: the first is the one to forget.
        self.told: dict[tuple[str, int | None, str], _Told] = {}
        self._unlisted = _Told(float("-inf"))

    def tell(self, key: tuple[str, int | None, str], fields: Mapping[str, object], now: float) -> None:
        told = self.told.get(key)
        if told is None:
            if self._has_room(now):
                self.told[key] = _Told(now)
                self._write(fields)
            else:
                self._count_unlisted(now)
            return
        told.since += 1
        if now - told.at >= PAUSE:
            del self.told[key]  # so that it goes to the end of the order
            self.told[key] = _Told(now)
            self._write({**fields, "repeated": told.since})

    def _write(self, fields: Mapping[str, object]) -> None:
        tell = _log.warning if self._denials else _log.info
        tell("refused", **fields)

    def _has_room(self, now: float) -> bool:
        """Forget the oldest where that is needed; what was told within the pause is not forgotten, or it would repeat."""
        if len(self.told) < MOST_REMEMBERED:
            return True
        oldest = next(iter(self.told))
        if now - self.told[oldest].at < PAUSE:
            return False
        del self.told[oldest]
        return True

    def _count_unlisted(self, now: float) -> None:
        self._unlisted.since += 1
        if now - self._unlisted.at >= PAUSE:
            tell = _log.warning if self._denials else _log.info
            tell("refused_unlisted", repeated=self._unlisted.since)
            self._unlisted = _Told(now)
