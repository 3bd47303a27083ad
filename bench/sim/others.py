"""Two ordinary ways to the same end, written as their friends would write them.

- Both read the key file anew for each token, refresh 5 minutes before `expires_at` by the host's wall clock, as client
  libraries do, try again each 30 s in trouble, and use a token until it ends.
- Each has one refresh under way at a time, and who asks meanwhile waits for it within the client's patience.
"""

import asyncio
from datetime import timedelta

from bench.sim.iam import DownError
from bench.sim.strategy import PATIENCE, Host
from broker.fakeiam.model import RefusedError, Token

MARGIN = timedelta(minutes=5)
AGAIN = 30.0  # seconds


class Cache:
    """One token in one process's memory, refreshed before it ends."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._token: Token | None = None
        self._renewing: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._try_at = 0.0

    @property
    def good(self) -> bool:
        """Whether there is a token that has not ended, as far as this host knows."""
        return self._token is not None and self._host.clock.wall() < self._token.expires_at

    @property
    def text(self) -> str | None:
        """The token, if it is good."""
        return self._token.text if self._token is not None and self.good else None

    async def get(self) -> str | None:
        """The token; without one, what an attempt brings within a client's patience."""
        if not self.good:
            self.renew()
            if self._renewing is not None:
                await asyncio.wait([self._renewing], timeout=PATIENCE)
        return self.text

    def renew(self) -> None:
        """Ask for a new token, unless that is under way or has failed just now."""
        if self._renewing is None and self._host.clock.now() >= self._try_at:
            self._renewing = asyncio.create_task(self._renew())

    def plan(self) -> None:
        """Set the timer of the next refresh, by the wall clock as it is now."""
        if self._timer is not None:
            self._timer.cancel()
        if self._token is not None:
            left = self._token.expires_at - MARGIN - self._host.clock.wall()
            self._arm(left.total_seconds())

    def forget(self) -> None:
        """The process is gone, and its token with it."""
        self.close()
        self._token, self._renewing, self._try_at = None, None, 0.0

    def close(self) -> None:
        """End what runs."""
        if self._timer is not None:
            self._timer.cancel()
        if self._renewing is not None:
            self._renewing.cancel()

    async def _renew(self) -> None:
        try:
            self._token = await self._host.iam.issue(self._host.key_file.key)
        except (DownError, RefusedError):
            self._try_at = self._host.clock.now() + AGAIN
            self._arm(AGAIN)
        else:
            self.plan()
        if self._renewing is asyncio.current_task():
            self._renewing = None

    def _arm(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(max(0.0, seconds), self.renew)


class EveryClientAlone:
    """Implements `Strategy`: each client has a cache of its own, and asks anew once when its token is refused."""

    def __init__(self, host: Host) -> None:
        self._caches = [Cache(host) for _ in range(host.clients)]

    async def start(self) -> None:
        """Each starts when it first needs a token."""

    def ready(self, client: int) -> bool:
        return self._caches[client].good

    async def get(self, client: int) -> str | None:
        return await self._caches[client].get()

    def refused(self, client: int, text: str) -> None:
        if self._caches[client].text == text:
            self._caches[client].renew()

    async def restart(self) -> None:
        """It is one client whose process loops."""
        self._caches[0].forget()
        await self._caches[0].get()

    def moved(self) -> None:
        for cache in self._caches:
            cache.plan()

    async def stop(self) -> None:
        for cache in self._caches:
            cache.close()


class FiveMinutesBefore:
    """Implements `Strategy`: a broker with one token for all, which it neither validates nor keeps over a restart."""

    def __init__(self, host: Host) -> None:
        self._cache = Cache(host)

    async def start(self) -> None:
        await self._cache.get()

    def ready(self, client: int) -> bool:  # noqa: ARG002
        return self._cache.good

    async def get(self, client: int) -> str | None:  # noqa: ARG002
        return await self._cache.get()

    def refused(self, client: int, text: str) -> None:
        """It does not hear of it."""

    async def restart(self) -> None:
        self._cache.forget()
        await self._cache.get()

    def moved(self) -> None:
        self._cache.plan()

    async def stop(self) -> None:
        self._cache.close()
