"""The end of serving: readiness goes first, then what is in flight is finished, within a bound."""

import asyncio
import contextlib
from collections.abc import Iterator


class Drain:
    """Counts the requests in flight, and knows whether the broker is about to end."""

    def __init__(self) -> None:
        self.begun = False
        self._in_flight = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @contextlib.contextmanager
    def request(self) -> Iterator[None]:
        """Around each request."""
        self._in_flight += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._in_flight -= 1
            if self._in_flight == 0:
                self._idle.set()

    async def finish(self, seconds: float) -> bool:
        """Begin, and wait until nothing is in flight; False when that took longer than so many seconds."""
        self.begun = True
        try:
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True
