"""The faults in force now, and which of them hit the next request."""

import asyncio
import itertools
from dataclasses import dataclass, field
from typing import Final

from broker.fakeiam.fault_text import parse_fault
from broker.fakeiam.faults import Drop, Effect, Fault, Latency, Operation, Skew

MOST_FAULTS: Final = 1000


@dataclass(slots=True, eq=False)
class Armed:
    """A fault in force; `lifted` is set when it is removed, which lets hanging requests go on."""

    number: int
    fault: Fault
    left: int | None
    lifted: asyncio.Event = field(default_factory=asyncio.Event)

    def use(self) -> None:
        """Count one request."""
        if self.left is not None:
            self.left -= 1


@dataclass(frozen=True, slots=True)
class Draw:
    """What hits one request."""

    delay: float = 0.0
    date_skew: float = 0.0
    times_skew: float = 0.0
    instead: Armed | None = None
    bends: tuple[Effect, ...] = ()


class Board:
    """The faults of one emulator, in the order in which they were added."""

    def __init__(self) -> None:
        self._armed: dict[int, Armed] = {}
        self._numbers = itertools.count(1)

    def add(self, fault: Fault | str) -> int:
        """Put a fault (or its text) in force; the number removes it again."""
        if len(self._armed) >= MOST_FAULTS:
            raise ValueError(f"there are {MOST_FAULTS} faults in force already; remove some first")
        fault = parse_fault(fault) if isinstance(fault, str) else fault
        number = next(self._numbers)
        self._armed[number] = Armed(number, fault, fault.times)
        return number

    def remove(self, number: int) -> bool:
        """Remove one; its hanging requests go on. False when it is not there (any more)."""
        armed = self._armed.pop(number, None)
        if armed is not None:
            armed.lifted.set()
        return armed is not None

    def clear(self) -> None:
        """Remove all."""
        for number in list(self._armed):
            self.remove(number)

    def in_force(self) -> list[Armed]:
        """Those that can still hit, or still hold a request."""
        return list(self._armed.values())

    def draw(self, operation: Operation, key_id: str | None) -> Draw:
        """What hits a request of this operation and key; uses the faults up by one."""
        hits = [
            armed
            for armed in self._armed.values()
            if armed.left != 0 and armed.fault.matches(operation, key_id)
        ]
        instead = next((armed for armed in hits if armed.fault.replaces), None)
        skews = [armed.fault.effect for armed in hits if isinstance(armed.fault.effect, Skew)]
        used = [armed for armed in hits if _counts(armed, instead)]
        for armed in used:
            armed.use()
            # A used-up hang still holds its request, and must stay to be removable.
            if armed.left == 0 and armed.fault.effect is not Drop.HANG:
                self.remove(armed.number)
        effects = [armed.fault.effect for armed in used]
        return Draw(
            delay=sum(effect.seconds for effect in effects if isinstance(effect, Latency)),
            date_skew=sum(skew.seconds for skew in skews if skew.only != "times"),
            times_skew=sum(skew.seconds for skew in skews if skew.only != "date"),
            instead=instead,
            bends=() if instead else tuple(e for e in effects if not isinstance(e, Latency | Skew)),
        )


def _counts(armed: Armed, instead: Armed | None) -> bool:
    """Delays and skews go with anything; of the others a replacement leaves no room for more."""
    return instead is None or armed is instead or isinstance(armed.fault.effect, Latency | Skew)
