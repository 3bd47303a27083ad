"""Those who wait for news of a lease: woken in the order in which they came, a few in each turn of the loop.

Woken all at once, two thousand clients would have whoever else asks wait for all of their answers.
"""

import asyncio
from collections import deque

from broker.core.ports import Clock

AT_ONCE = 16


class Line:
    """Belongs to one event loop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waiting: dict[asyncio.Future[None], None] = {}
        self._going: deque[asyncio.Future[None]] = deque()
        self._next: asyncio.Handle | None = None

    def __len__(self) -> int:
        return len(self._waiting) + len(self._going)

    async def wait(self, until: float) -> None:
        """Return once this line is let go, or when the clock reads `until`."""
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[place] = None
        try:
            await self._clock.wait(place, until)
        finally:
            self._waiting.pop(place, None)

    def let_go(self) -> None:
        """Wake all who wait now."""
        self._going.extend(self._waiting)
        self._waiting.clear()
        if self._next is None:
            self._go_on()

    def _go_on(self) -> None:
        for _ in range(min(AT_ONCE, len(self._going))):
            place = self._going.popleft()
            if not place.done():
                place.set_result(None)
        self._next = asyncio.get_running_loop().call_soon(self._go_on) if self._going else None
