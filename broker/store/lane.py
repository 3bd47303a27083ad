"""Work on the disk, off the loop: one piece at a time, in the order asked, and nobody waits long for a disk that hangs.

What has begun cannot be stopped, so what is asked later waits for it, even where its asker has given up: nothing ever
overlaps or lands out of order.
"""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from broker.core.errors import StoreError
from broker.core.ports import Clock

DEADLINE = 2.0  # seconds
_LONGEST = 8  # pieces of work that may stand in the lane

T = TypeVar("T")


class Lane:
    """Belongs to one event loop."""

    def __init__(self, clock: Clock, shown: str) -> None:
        """`shown` is what the work is about, for people."""
        self._clock = clock
        self._shown = shown
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[object]] = set()

    async def run(self, work: Callable[[], T]) -> T:
        """What the work returns or raises; StoreError when it has not ended in time."""
        if len(self._tasks) >= _LONGEST:
            raise self._late()
        task = asyncio.create_task(self._in_turn(work))
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        await self._clock.wait(task, self._clock.now() + DEADLINE)
        if not task.done():
            raise self._late()
        return task.result()

    async def _in_turn(self, work: Callable[[], T]) -> T:
        async with self._turn:
            return await asyncio.to_thread(work)

    def _ended(self, task: asyncio.Task[T]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # whoever asked has it, or was told that it came too late

    def _late(self) -> StoreError:
        return StoreError(
            f"{self._shown}: the disk did not answer within {DEADLINE:g} s; check the disk and its mount"
        )
