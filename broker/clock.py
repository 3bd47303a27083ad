"""The clock of a running broker; tests have their own."""

import asyncio
import time
from collections.abc import Awaitable
from datetime import UTC, datetime


class BootClock:
    """Implements the port `Clock` on CLOCK_BOOTTIME."""

    def now(self) -> float:
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def wall(self) -> datetime:
        return datetime.now(UTC)

    def suspended(self) -> float:
        return self.now() - time.clock_gettime(time.CLOCK_MONOTONIC)

    async def wait(self, change: Awaitable[object], until: float) -> None:
        await asyncio.wait([asyncio.ensure_future(change)], timeout=max(0.0, until - self.now()))
