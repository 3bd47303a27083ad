"""Connections that stay: asked byte for byte, and where there is a lane, they sit in it."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from broker.serving.seat import Seat
from tests.fakes.clock import settle
from tests.serving.house import WAYS, Answer, House, parsed, until

ASK = b"GET /v1/token HTTP/1.1\r\nHost: x\r\n\r\n"
NAMED = b"GET /v1/identities/default/token HTTP/1.1\r\nHost: x\r\n\r\n"
TOKEN = b'"token": "token-of-default"'
LAST = b"GET /v1/token HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


class Kept:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def ask(self, request: bytes = ASK) -> Answer:
        """Send this, and hear one answer with its body."""
        self.writer.write(request)
        return await self.hear()

    async def hear(self) -> Answer:
        """The next answer."""
        async with asyncio.timeout(10):
            head = await self.reader.readuntil(b"\r\n\r\n")
            body = await self.reader.readexactly(int(parsed(head).headers["Content-Length"]))
        return parsed(head + body)

    async def silent(self, broker: House, request: bytes = ASK) -> "asyncio.Task[Answer]":
        """Send this, and see that nothing comes while it waits for the clock; what will be answered."""
        waiting = broker.clock.waiting
        self.writer.write(request)
        await until(lambda: broker.clock.waiting > waiting)
        answer = asyncio.create_task(self.hear())
        await settle()
        assert not answer.done()
        return answer


@asynccontextmanager
async def kept(broker: House, *requests: bytes) -> AsyncIterator[Kept]:
    """One that was answered these requests with 200, by default ASK, and that waits for the next one."""
    before = len(seated(broker))
    reader, writer = await asyncio.open_unix_connection(broker.path)
    try:
        one = Kept(reader, writer)
        for request in requests or (ASK,):
            assert (await one.ask(request)).status == 200
        if WAYS.lane:
            await until(lambda: len(seated(broker)) == before + 1)
        yield one
    finally:
        writer.close()
        await settle()  # the broker has seen it


def seated(broker: House) -> list[Seat]:
    """Who waits in the lane."""
    return [guest for guest in broker.desk.crowd._inside if isinstance(guest, Seat)]


def token_of(answer: Answer) -> str:
    """What was handed out."""
    assert answer.status == 200, answer
    return str(answer.tree["token"])


@contextmanager
def plain(broker: House) -> Iterator[socket.socket]:
    """A connection of a test that reads when it likes."""
    with socket.socket(socket.AF_UNIX) as client:
        client.setblocking(False)
        client.connect(str(broker.path))
        yield client


async def heard(client: socket.socket, count: int) -> bytes:
    """What comes until so many tokens are in it."""
    found = b""
    async with asyncio.timeout(10):
        while found.count(TOKEN) < count:
            piece = await asyncio.get_running_loop().sock_recv(client, 65_536)
            assert piece, found
            found += piece
    return found


async def stuffed(broker: House, client: socket.socket) -> int:
    """Ask one by one and read nothing, until the broker has an answer that does not leave; how many were asked."""
    asked = 0
    while True:
        before = len(broker.books.tokens)
        asked += 1
        client.send(ASK)
        for _ in range(10):
            await settle()
            if len(broker.books.tokens) > before:
                break
        else:
            return asked


def descriptors() -> int:
    """How many this process has open."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())
