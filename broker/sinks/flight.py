"""One piece of work in its thread, and the news for which its owner looks up meanwhile."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from broker.core.ports import Clock
from broker.sinks.threads import in_thread

DEADLINE = 5.0  # seconds for a disk, before it is told of
NEVER = float("inf")

T = TypeVar("T")


class Left(Exception):
    """Nobody waits any more; the work goes on all the same."""


class Reading:
    """Work that only reads, so that it may be left: until it has ended there is no other, or threads would pile up."""

    def __init__(self) -> None:
        self.busy = False

    def of(self, job: Callable[[], T]) -> Callable[[], T]:
        """The work, which tells of its end. Raises Left where one is under way."""
        if self.busy:
            raise Left

        def read() -> T:
            try:
                return job()
            finally:
                self.busy = False

        self.busy = True
        return read


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


class Flights:
    """One at a time. Belongs to one event loop."""

    def __init__(self, clock: Clock, news: News, late: Callable[[float | None], None]) -> None:
        """`late` hears after so many seconds of work that takes long, and of None when it is over."""
        self._clock = clock
        self._news = news
        self._late = late
        self._reading = Reading()

    async def read(self, job: Callable[[], T], watch: Callable[[float], None]) -> T:
        """The same for work that only reads; `watch` is given the time from which the work is late."""
        late_at = self._clock.now() + DEADLINE
        return await self.flown(self._reading.of(job), lambda: watch(late_at))

    async def flown(self, job: Callable[[], T], watch: Callable[[], None], until: float = NEVER) -> T:
        """What the work returns or raises. Raises Left at `until`.

        `watch` looks at each piece of news, and may raise Left.
        """
        late_at = self._clock.now() + DEADLINE
        flight = in_thread(job, "token file")
        flight.add_done_callback(lambda _: self._news.tell())
        try:
            while not flight.done():
                watch()
                now = self._clock.now()
                if now >= until:
                    raise Left
                if now >= late_at:
                    late_at = NEVER
                    self._late(DEADLINE)
                await self._news.wait(min(late_at, until))
            return flight.result()
        finally:
            flight.cancel()
            self._late(None)
