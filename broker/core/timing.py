"""When a token may be served and when its successor is due (invariants L4 and L5).

- Nothing here reads a clock; `now` is an argument, in seconds on CLOCK_BOOTTIME.
- A life is counted from the moment the request was *sent*, so that a slow answer can only shorten it.
- The due point is drawn once per token, from what the token is and where it lives: a fleet restarted at once stays
  spread, and asking twice gives the same answer.
"""

import hashlib
import math
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

# Keystone floors its times to the second, so a token may end up to this many seconds before its `expires_at`.
FLOOR = 1.0


@dataclass(frozen=True, slots=True)
class Refresh:
    """When a successor is due, and when it is urgent, in parts of a token's lifetime."""

    earliest: float = 0.50  # the due point is drawn from here
    latest: float = 0.75  # to here
    critical: float = 0.90


USUAL = Refresh()


class Phase(IntEnum):
    """The age of a token; it decides what a request gets."""

    FRESH = 0  # serve
    DUE = 1  # serve, refresh behind the caller's back
    CRITICAL = 2  # serve, refresh hard
    EXPIRED = 3  # never serve


@dataclass(frozen=True, slots=True)
class Span:
    """The life of one token, in seconds on CLOCK_BOOTTIME."""

    sent_at: float
    lifetime: float
    due_at: float
    critical_at: float
    deadline: float

    def phase(self, now: float) -> Phase:
        """The phase at `now`; the latest that applies, so that the life of a token of seconds is judged right too."""
        if now >= self.deadline:
            return Phase.EXPIRED
        if now >= self.critical_at:
            return Phase.CRITICAL
        return Phase.DUE if now >= self.due_at else Phase.FRESH

    def turns_at(self, now: float) -> float:
        """When the phase of `now` ends, which the last one never does."""
        turns = (self.due_at, self.critical_at, self.deadline)
        return min((at for at in turns if at > now), default=math.inf)


def lifetime(issued_at: datetime, expires_at: datetime, date: datetime | None) -> float:
    """Seconds from the request to the end of the token, by IAM's clock alone.

    `date` is IAM's clock when it answered; where it gives the shorter life, that is the true one (the token may have
    been issued earlier than asked for). A `Date` after the end is a broken clock on the way and is not believed.
    """
    life = (expires_at - issued_at).total_seconds()
    if date is not None and date < expires_at:
        life = min(life, (expires_at - date).total_seconds())
    return life


def span(sent_at: float, life: float, draw: float, refresh: Refresh = USUAL) -> Span:
    """The phases of a token that lives `life` seconds; `draw` in [0, 1) places its due point."""
    due = refresh.earliest + (refresh.latest - refresh.earliest) * draw
    return Span(
        sent_at=sent_at,
        lifetime=life,
        due_at=sent_at + life * due,
        critical_at=sent_at + life * refresh.critical,
        deadline=sent_at + life - FLOOR,
    )


def draw(host: str, identity: str, digest: str) -> float:
    """A number in [0, 1) that is the same for one token on one host, and evenly spread over many."""
    name = f"{host}\0{identity}\0{digest}".encode()
    return int.from_bytes(hashlib.sha256(name).digest()[:8]) / 2**64
