"""Serves an application on a listening socket of ours, with our own connections."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from broker.callers.listeners import BACKLOG
from broker.serving.connection import Connection

# So many connections are accepted before anything else has its turn; more would be descriptors that are not counted yet.
_AT_ONCE = 64
# Once the drain is over, what is still open gets this many seconds to end.
_LAST_SECONDS = 1.0


@asynccontextmanager
async def serving(app: web.Application, listening: socket.socket) -> AsyncIterator[None]:
    """Answer on this socket for as long as the context lasts."""
    loop = asyncio.get_running_loop()
    # Who leaves takes the handler along: a wait of half a minute for nobody would be counted nowhere.
    runner = web.AppRunner(
        app, handle_signals=False, access_log=None, shutdown_timeout=_LAST_SECONDS, handler_cancellation=True
    )
    await runner.setup()
    manager = runner.server
    if manager is None:
        raise RuntimeError("the runner was set up and has no server")
    server = await loop.create_server(
        lambda: Connection(manager, app, loop), sock=listening, backlog=_AT_ONCE
    )
    listening.listen(BACKLOG)  # the line above made the kernel's queue as short as one look of the loop's
    try:
        yield
    finally:
        server.close()
        await runner.cleanup()
