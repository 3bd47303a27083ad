"""The clock of a running broker."""

import asyncio
import time

from broker.clock import BootClock


def test_it_counts_suspend_and_ignores_the_wall():
    before = time.clock_gettime(time.CLOCK_BOOTTIME)
    now = BootClock().now()
    assert before <= now <= time.clock_gettime(time.CLOCK_BOOTTIME)


def test_the_wall_is_in_utc():
    offset = BootClock().wall().utcoffset()
    assert offset is not None
    assert offset.total_seconds() == 0


async def test_waiting_ends_with_the_change_or_the_moment_and_cancels_nothing():
    clock, change = BootClock(), asyncio.get_running_loop().create_future()
    await clock.wait(change, clock.now() - 5)
    await clock.wait(change, clock.now() + 0.01)
    assert not change.done()
    waiting = asyncio.create_task(clock.wait(change, clock.now() + 3600))
    leaving = asyncio.create_task(clock.wait(change, clock.now() + 3600))
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.wait([leaving])
    assert not change.cancelled()
    change.set_result(None)
    await waiting
