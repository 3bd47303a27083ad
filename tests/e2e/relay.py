"""A way to a server that is there or not from one moment to the next, as no server of its own starts and ends.

- While it is shut, a connection is refused as where nothing listens, and those that were open are gone.
- It comes back on its port. The server behind it lives on, and can still judge what it has issued.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self
from urllib.parse import urlsplit, urlunsplit

HOST = "127.0.0.1"
_CHUNK = 65536  # bytes
_GONE = 5.0  # seconds within which connections that were aborted are over


class Relay:
    """Carries bytes between its own port and the one of a URL."""

    def __init__(self, url: str) -> None:
        self._parts = urlsplit(url)
        self._port = 0
        self._server: asyncio.Server | None = None
        self._carried: set[asyncio.Task[None]] = set()
        self._ends: set[asyncio.StreamWriter] = set()

    @classmethod
    @asynccontextmanager
    async def before(cls, url: str) -> AsyncIterator[Self]:
        """One that is open, for as long as the context lasts."""
        relay = cls(url)
        await relay.open()
        try:
            yield relay
        finally:
            await relay.shut()

    @property
    def url(self) -> str:
        """The same URL by way of the relay."""
        return urlunsplit(self._parts._replace(netloc=f"{HOST}:{self._port}"))

    async def open(self) -> None:
        """Listen; on the port that it had, if it had one."""
        self._server = await asyncio.start_server(self._carry, HOST, self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def shut(self) -> None:
        """Be gone, and every connection with it."""
        if self._server is None:
            return
        self._server.close()
        self._server = None
        for end in self._ends:
            end.transport.abort()
        async with asyncio.timeout(_GONE):
            await asyncio.gather(*self._carried)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._carried.add(task)
        try:
            answers, behind = await asyncio.open_connection(self._parts.hostname, self._parts.port)
            both = {writer, behind}
            self._ends |= both
            await asyncio.gather(_pass_on(reader, behind), _pass_on(answers, writer))
            for end in both:
                end.transport.abort()
            self._ends -= both
        finally:
            self._carried.discard(task)


async def _pass_on(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    """Until one of the two ends."""
    with contextlib.suppress(ConnectionError):
        while chunk := await source.read(_CHUNK):
            sink.write(chunk)
            await sink.drain()
    if not sink.is_closing():
        sink.write_eof()
