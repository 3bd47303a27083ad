"""The evil server: serves the pages of `pages/` under any name, sends browsers on, and collects what its pages could read.

- `/?do=NAME&...` is a page that runs the attempt NAME; its script finds the rest of its orders in the same query.
- `/report` takes what a page could read; CORS lets every page of ours, of whatever origin, tell it.
- `rebinding` is the same server at the first address of a rebinding name, at the very port of the broker. Its page asks
  for `/rebind`; then nobody is at that address any more, and the name leads to the broker.
"""

import asyncio
import html
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode

from aiohttp import web

PAGES = Path(__file__).parent / "pages"
REPORTED = 15.0  # seconds; a page's own waits are shorter

Report = dict[str, Any]


class Evil:
    """The server; `port` is on 127.0.0.1, so under each of its names it is there for the browser."""

    def __init__(self) -> None:
        self.port = 0
        self._reports: dict[str, asyncio.Future[Report]] = {}
        self._rebind: Callable[[], Awaitable[None]] | None = None

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Self]:
        """Serve on a free port for as long as the context lasts."""
        runner = await self.listen("127.0.0.1", 0)
        self.port = runner.addresses[0][1]
        try:
            yield self
        finally:
            await runner.cleanup()

    async def listen(self, host: str, port: int) -> web.AppRunner:
        """The server at an address; the runner's `cleanup` closes it and each of its connections."""
        app = web.Application()
        app.add_routes(
            [
                web.get("/", self._page),
                web.get("/sent-on", _sent_on),
                web.post("/report", self._report),
                web.get("/rebind", self._rebound),
                web.get("/{script:[a-z]+\\.js}", _script),
            ]
        )
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, host, port).start()
        return runner

    @asynccontextmanager
    async def rebinding(self, port: int) -> AsyncIterator[None]:
        """Be at the first address of a rebinding name, at this port, until a page asks for the switch."""
        runner = await self.listen("::1", port)
        self._rebind = runner.cleanup
        try:
            yield
        finally:
            await runner.cleanup()

    @property
    def url(self) -> str:
        """A name of it, as the pages write it."""
        return f"http://evil.test:{self.port}"

    def query(self, name: str, do: str, **orders: str) -> str:
        """The query of a page, and of its script, which runs an attempt by these orders and reports it by this name."""
        return urlencode({"name": name, "do": do, "evil": self.url, **orders})

    def html(self, query: str, at: str = "") -> str:
        """A page whose script has this query; `at` is where the script comes from, if not from the page's own server."""
        return (
            f'<!doctype html><body><script type="module" src="{at}/attempt.js?{html.escape(query)}"></script>'
        )

    @contextmanager
    def expected(self, name: str) -> Iterator[None]:
        """While this lasts, a report by this name is taken."""
        self._reports[name] = asyncio.get_running_loop().create_future()
        try:
            yield
        finally:
            del self._reports[name]

    async def report(self, name: str) -> Report:
        """What the page could read; AssertionError where it told nothing in time."""
        try:
            return await asyncio.wait_for(self._reports[name], REPORTED)
        except TimeoutError:
            raise AssertionError(f"the page of {name!r} reported nothing") from None

    async def _page(self, request: web.Request) -> web.Response:
        return web.Response(text=self.html(request.query_string), content_type="text/html")

    async def _report(self, request: web.Request) -> web.Response:
        expected = self._reports.get(request.query["name"])
        if expected is not None and not expected.done():
            expected.set_result(json.loads(await request.text()))
        return _open(web.Response(status=204))

    async def _rebound(self, _: web.Request) -> web.Response:
        if self._rebind is not None:
            await self._rebind()
        return _open(web.Response(status=204))


async def _sent_on(request: web.Request) -> web.Response:
    return _open(web.Response(status=302, headers={"Location": request.query["to"]}))


async def _script(request: web.Request) -> web.Response:
    text = (PAGES / request.match_info["script"]).read_text()
    return _open(web.Response(text=text, content_type="text/javascript"))


def _open(response: web.Response) -> web.Response:
    """Readable by a page of any origin, also of none."""
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers["Cache-Control"] = "no-store"
    return response
