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


class _Guard:
    """Calls for help when nobody has said for a while that all is well."""

    def __init__(self, seconds: float, call_for_help: Callable[[], None]) -> None:
        self._seconds = seconds
        self._call_for_help = call_for_help
        self._timer: asyncio.TimerHandle | None = None

    def well(self) -> None:
        """All is well, for a while."""
        self.close()
        self._timer = asyncio.get_running_loop().call_later(self._seconds, self._late)

    def close(self) -> None:
        """Stop watching."""
        if self._timer is not None:
            self._timer.cancel()

    def _late(self) -> None:
        self.well()
        self._call_for_help()


@asynccontextmanager
async def ticking(tick: Callable[[], None], every: float = EVERY) -> AsyncIterator[None]:
    """Call `tick` every so many seconds while the context lasts."""
    scheduler = AsyncIOScheduler(timezone=UTC)

    async def job() -> None:
        guard.well()
        tick()

    planned = scheduler.add_job(
        job, "interval", seconds=every, misfire_grace_time=None, coalesce=True, max_instances=1
    )
    guard = _Guard(_PATIENCE * every, lambda: planned.reschedule("interval", seconds=every))
    scheduler.start()
    guard.well()
    try:
        yield
    finally:
        guard.close()
        scheduler.shutdown(wait=False)
