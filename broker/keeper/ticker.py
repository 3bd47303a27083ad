"""The one tick that drives all keepers: APScheduler behind one context manager.

A tick asks; it never computes when. So a late tick, a suspended machine or a stepped clock costs at most one tick. Three
defaults of APScheduler 3 would break that and are set: a job that is a second late must still run
(`misfire_grace_time=None`), missed ones run once (`coalesce`), and the job is a coroutine, for a plain function would
run in a thread beside the loop.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC

from apscheduler.schedulers.asyncio import AsyncIOScheduler

EVERY = 1.0  # seconds: the coarsest that keeps a token of a few seconds alive


@asynccontextmanager
async def ticking(tick: Callable[[], None], every: float = EVERY) -> AsyncIterator[None]:
    """Call `tick` every so many seconds while the context lasts."""

    async def job() -> None:
        tick()

    scheduler = AsyncIOScheduler(timezone=UTC)
    scheduler.add_job(job, "interval", seconds=every, misfire_grace_time=None, coalesce=True, max_instances=1)
    scheduler.start()
    try:
        yield
    finally:
        scheduler.shutdown(wait=False)
