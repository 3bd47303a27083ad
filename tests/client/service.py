"""A service on loopback that wants a token, redirects when asked to, and keeps what came in."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web


@dataclass(frozen=True, slots=True)
class Came:
    """One request."""

    method: str
    path: str
    token: str | None
    body: bytes


@dataclass
class Service:
    """Answers 200 to a request with a token of `good`, else `refusal`; `/to/STATUS?URL` redirects before that is judged.

    The first `together` requests are answered when all of them are there.
    """

    good: set[str] = field(default_factory=set)
    refusal: int = 401
    seen: list[Came] = field(default_factory=list)
    text: str = "answered"
    url: str = ""
    together: int = 0
    _all: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def tokens(self) -> list[str | None]:
        """The token of each request, in order."""
        return [came.token for came in self.seen]

    async def answer(self, request: web.Request) -> web.Response:
        token = request.headers.get("X-Auth-Token")
        self.seen.append(Came(request.method, request.path, token, await request.read()))
        if len(self.seen) >= self.together:
            self._all.set()
        await self._all.wait()
        if request.path.startswith("/to/"):
            return web.Response(
                status=int(request.path.split("/")[2]), headers={"Location": request.query_string}
            )
        return web.Response(status=200 if token in self.good else self.refusal, text=self.text)


@asynccontextmanager
async def service(*good: str) -> AsyncIterator[Service]:
    """Serve until the end; each has a port, and so an origin, of its own."""
    made = Service(set(good))
    app = web.Application(client_max_size=1 << 24)
    app.router.add_route("*", "/{path:.*}", made.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        made.url = site.name
        yield made
    finally:
        await runner.cleanup()
