"""The clocks of one simulated machine, moved by the loop's time and by what is done to them."""

import asyncio
from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta
from typing import Final

EPOCH: Final = datetime(2026, 1, 1, tzinfo=UTC)


class SimClock:
    """Implements the port `Clock`; belongs to one loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._slept = 0.0
        self._step = 0.0

    def now(self) -> float:
        return self._loop.time() + self._slept

    def wall(self) -> datetime:
        return self.true() + timedelta(seconds=self._step)

    def true(self) -> datetime:
        """The time that IAM has, which nobody steps."""
        return EPOCH + timedelta(seconds=self.now())

    def suspended(self) -> float:
        return self._slept

    async def wait(self, change: Awaitable[object], until: float) -> None:
        # As the real one: a timer that runs through a suspend is late by it.
        left = None if until == float("inf") else max(0.0, until - self.now())
        await asyncio.wait([asyncio.ensure_future(change)], timeout=left)

    async def until(self, moment: float) -> None:
        """Return when the clock reads `moment`; the machine is not put to sleep meanwhile."""
        await asyncio.sleep(max(0.0, moment - self.now()))

    def suspend(self, seconds: float) -> None:
        """The machine sleeps, and wakes: no timer fires meanwhile."""
        self._slept += seconds

    def step(self, seconds: float) -> None:
        """Somebody sets the wall clock."""
        self._step += seconds
