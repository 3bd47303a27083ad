"""What happens each second; how late it comes says how busy the loop is, or that it has slept."""

from collections.abc import Callable, Iterable

import structlog

from broker.garbage import Sweeping
from broker.keeper.ticker import EVERY
from broker.serving.context import Desk

_log = structlog.get_logger()

# A tick that comes so late means that the process, or its machine, has been stopped.
_LATE = 10.0  # seconds
_SLEPT = 1.0


class Tick:
    """Lets the leases act, and everything that looks after itself from time to time."""

    def __init__(self, desk: Desk, others: Iterable[Callable[[float], None]]) -> None:
        """`others` are called with the broker's clock."""
        self._desk = desk
        self._others = tuple(others)
        self._due = desk.clock.now() + EVERY
        self._suspended = desk.clock.suspended()
        self._sweeping = Sweeping(desk.clock.now())

    def __call__(self) -> None:
        clock, keyring = self._desk.clock, self._desk.keyring
        now, suspended = clock.now(), clock.suspended()
        slept, self._suspended = suspended - self._suspended, suspended
        late, self._due = now - self._due, now + EVERY
        self._desk.meter.lag(max(0.0, late - slept))
        if slept > _SLEPT or late > _LATE:
            _log.info("woke", after_seconds=round(max(slept, late)))
            keyring.woke()
        keyring.tick()
        self._desk.allowed.tick()
        for other in self._others:
            other(now)
        self._sweeping.tick(now, self._desk.crowd.inside)
