"""The tick comes, and it comes back after a tick that failed."""

import asyncio
import time
from datetime import datetime, timedelta, tzinfo

from apscheduler.schedulers import base
from apscheduler.triggers import interval

from broker.keeper.ticker import ticking


async def test_it_ticks_until_the_context_ends():
    ticked = asyncio.Event()
    count = 0

    def tick() -> None:
        nonlocal count
        count += 1
        if count == 2:
            ticked.set()

    async with asyncio.timeout(5), ticking(tick, every=0.01):
        await ticked.wait()
    after = count
    await asyncio.sleep(0.05)
    assert count == after


async def test_a_tick_that_fails_is_followed_by_another():
    ticked = asyncio.Event()
    count = 0

    def tick() -> None:
        nonlocal count
        count += 1
        if count == 1:
            raise ZeroDivisionError
        ticked.set()

    async with asyncio.timeout(5), ticking(tick, every=0.01):
        await ticked.wait()


async def test_a_tick_that_is_late_is_not_skipped(caplog):
    """APScheduler by default gives up a run that is more than a second late."""
    ticked = asyncio.Event()
    async with asyncio.timeout(10), ticking(ticked.set, every=1.2):
        # The very fault under test: the loop stands still past the moment, until 1.15 s late.
        time.sleep(2.35)  # noqa: ASYNC251
        await ticked.wait()
    assert "was missed" not in caplog.text


async def test_a_wall_clock_set_back_by_hours_costs_a_tick_or_two(monkeypatch):
    """APScheduler plans by the wall clock: the next run would lie nine hours away."""
    step = timedelta()

    class SteppedClock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> "SteppedClock":
            stepped = datetime.now(tz) + step
            return cls.fromtimestamp(stepped.timestamp(), tz)

    for module in (base, interval):
        monkeypatch.setattr(module, "datetime", SteppedClock)
    count, reached = 0, asyncio.Event()

    def tick() -> None:
        nonlocal count, step
        count += 1
        if count == 3:
            step = timedelta(hours=-9)
        if count == 8:
            reached.set()

    async with asyncio.timeout(10), ticking(tick, every=0.05):
        await reached.wait()
