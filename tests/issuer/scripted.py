"""A server that answers with bytes written by the test: also such as no honest server would send.

Each connection takes the next act; the last act is played for all that follow.
"""

import asyncio
import contextlib
import re
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable

Act = bytes | Callable[["Server", asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Server:
    """What came in, and where it listens."""

    def __init__(self, scheme: str, *acts: Act) -> None:
        self.requests: list[bytes] = []
        self.asked = asyncio.Event()
        self.over = asyncio.Event()
        self.port = 0
        self._scheme = scheme
        self._acts = list(acts)
        self._playing: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self.port}/identity/v3"

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._playing.add(task)
        task.add_done_callback(self._playing.discard)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            self.requests.append(await _request(reader))
            self.asked.set()
            act = self._acts.pop(0) if len(self._acts) > 1 else self._acts[0]
            if isinstance(act, bytes):
                writer.write(act)
                await writer.drain()
            else:
                await act(self, reader, writer)
        writer.close()
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await writer.wait_closed()

    async def end(self) -> None:
        self.over.set()
        if self._playing:
            await asyncio.wait(self._playing, timeout=5)


@contextlib.asynccontextmanager
async def scripted(*acts: Act, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    """A server on a free port of loopback."""
    server = Server("https" if tls else "http", *acts)
    listener = await asyncio.start_server(server.handle, "127.0.0.1", 0, ssl=tls)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        await server.end()
        await listener.wait_closed()


async def _request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: ([0-9]+)", head)
    return head + (await reader.readexactly(int(length[1])) if length else b"")


async def hang(server: Server, _reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Never answer."""
    await server.over.wait()


async def reset(_server: Server, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Break the connection as a crashed host does."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def then_hang(beginning: bytes) -> Act:
    """Begin an answer and never end it."""

    async def act(server: Server, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(beginning)
        await writer.drain()
        await server.over.wait()

    return act


def endless(beginning: bytes, piece: bytes) -> Act:
    """Send a body until the other side has had enough."""

    async def act(server: Server, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(beginning)
        while not server.over.is_set():
            writer.write(piece)
            await writer.drain()

    return act


def tunnel_to(port: int) -> Act:
    """Be a proxy: grant CONNECT, whatever the name, and pass bytes on to `port`."""

    async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await source.read(65536):
                sink.write(data)
                await sink.drain()
        sink.close()

    async def act(_server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))

    return act
