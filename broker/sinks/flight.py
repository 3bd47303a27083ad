"""One piece of work in its thread, and the news for which its owner looks up meanwhile."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from broker.core.ports import Clock
from broker.sinks.threads import in_thread

DEADLINE = 5.0  # seconds for a disk, before it is told of
NEVER = float("inf")

T = TypeVar("T")


class News:
    """Wakes its owner. Belongs to one event loop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._come: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def tell(self) -> None:
        """There is something to look at."""
        come, self._come = self._come, asyncio.get_running_loop().create_future()
        if not come.done():
            come.set_result(None)

    async def wait(self, until: float) -> None:
        """Return at the next news, or when the clock reads `until`."""
        await self._clock.wait(self._come, until)


async def flown(
    job: Callable[[], T],
    clock: Clock,
    news: News,
    watch: Callable[[], None],
    late: Callable[[], None],
    until: float = NEVER,
) -> T:
    """What the work returns or raises. Raises TimeoutError at `until`; the work goes on all the same.

    `watch` looks at each piece of news; `late` hears of it if it takes long.
    """
    late_at = clock.now() + DEADLINE
    flight = in_thread(job, "token file")
    flight.add_done_callback(lambda _: news.tell())
    try:
        while not flight.done():
            watch()
            now = clock.now()
            if now >= until:
                raise TimeoutError
            if now >= late_at:
                late_at = NEVER
                late()
            await news.wait(min(late_at, until))
        return flight.result()
    finally:
        flight.cancel()
