"""A refused token, and the tasks of an asyncio loop that have met it: see `reporter`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from broker.client.aio import run
from broker.client.reporter import Reporter, Sent

if TYPE_CHECKING:
    from broker.client.asking import Asking
    from broker.client.token import Token


class TaskReporter(Reporter):
    """For requests that are made by tasks. One that is cancelled gives its turn to the next."""

    def __init__(self, asking: Asking) -> None:
        super().__init__(asking)
        self._locks: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()

    async def another(self, refused: Sent) -> Token | None:
        """Another token than the one that was refused; None where there is none."""
        lock = self._locks.setdefault(asyncio.get_running_loop(), asyncio.Lock())
        async with lock:
            return await run(self._asking.find, self.another_steps(refused))
