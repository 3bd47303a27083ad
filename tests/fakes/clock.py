"""A clock that only a test moves, and that wakes those who wait for a moment."""

import asyncio
from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


class FakeClock:
    """Implements the port `Clock`."""

    def __init__(self, at: float = 1000.0) -> None:
        self.at = at
        self.wall_step = timedelta()  # what somebody did to the wall clock
        self.slept = 0.0  # of the time that has passed, what the machine slept
        self._alarms: list[tuple[float, asyncio.Future[None]]] = []

    def now(self) -> float:
        return self.at

    def wall(self) -> datetime:
        return EPOCH + timedelta(seconds=self.at) + self.wall_step

    def suspended(self) -> float:
        return self.slept

    async def wait(self, change: Awaitable[object], until: float) -> None:
        if self.at >= until:
            return
        alarm = asyncio.get_running_loop().create_future()
        self._alarms.append((until, alarm))
        try:
            await asyncio.wait([asyncio.ensure_future(change), alarm], return_when=asyncio.FIRST_COMPLETED)
        finally:
            alarm.cancel()  # whoever was woken or has left waits no more

    @property
    def waiting(self) -> int:
        """How many wait for a moment to come."""
        return sum(1 for _, alarm in self._alarms if not alarm.done())

    async def advance(self, seconds: float) -> None:
        """Move on, and let everything that this wakes run until it waits again."""
        self.at += seconds
        for until, alarm in self._alarms:
            if until <= self.at and not alarm.done():
                alarm.set_result(None)
        self._alarms = [entry for entry in self._alarms if not entry[1].done()]
        await settle()

    async def sleep_through(self, seconds: float) -> None:
        """The machine is suspended, and wakes up."""
        self.slept += seconds
        await self.advance(seconds)


async def settle() -> None:
    """Let every task that can run do so."""
    for _ in range(25):
        await asyncio.sleep(0)
