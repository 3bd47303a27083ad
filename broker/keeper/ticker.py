"""The one tick that drives all keepers: APScheduler behind one context manager.

A tick asks; it never computes when. So a late tick, a suspended machine or a stepped clock costs a tick or two. Four
ways of APScheduler 3 would break that and are mended here:

- a job that is a second late must still run (`misfire_grace_time=None`), and missed ones run once (`coalesce`);
- the job is a coroutine, for a plain function would run in a thread beside the loop;
- it plans by the wall clock: when that is set back by hours, the next run lies hours away. So each tick arms a timer of
  the loop, which knows no wall clock, and which plans anew when no tick came in its time.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC

from apscheduler.schedulers.asyncio import AsyncIOScheduler

EVERY = 1.0  # seconds: the coarsest that keeps a token of a few seconds alive
_PATIENCE = 2  # times `every`, until a tick counts as lost


@asynccontextmanager
async def ticking(tick: Callable[[], None], every: float = EVERY) -> AsyncIterator[None]:
    """Call `tick` every so many seconds while the context lasts."""
    loop = asyncio.get_running_loop()
    scheduler = AsyncIOScheduler(timezone=UTC)

    def arm() -> asyncio.TimerHandle:
        return loop.call_later(_PATIENCE * every, plan_anew)

    def plan_anew() -> None:
        nonlocal guard
        guard = arm()
        planned.reschedule("interval", seconds=every)

    async def job() -> None:
        nonlocal guard
        guard.cancel()
        guard = arm()
        tick()

    planned = scheduler.add_job(
        job, "interval", seconds=every, misfire_grace_time=None, coalesce=True, max_instances=1
    )
    scheduler.start()
    guard = arm()
    try:
        yield
    finally:
        guard.cancel()
        scheduler.shutdown(wait=False)
