"""Connections that stay: asked byte for byte, and where there is a lane, they sit in it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from broker.serving.lane import Seat
from tests.fakes.clock import settle
from tests.serving.house import WAYS, Answer, House, parsed, until

ASK = b"GET /v1/token HTTP/1.1\r\nHost: x\r\n\r\n"
NAMED = b"GET /v1/identities/default/token HTTP/1.1\r\nHost: x\r\n\r\n"
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
