"""Two brokers that differ in nothing but the express lane, and are told and asked the same at the same moments."""

import asyncio
import re
import socket
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.fakes.clock import settle
from tests.serving.house import WAYS, House, house

# Of the loop, without a word from anybody: then nothing more comes by itself.
_QUIET = 40
_DATE = re.compile(rb"(?<=\r\n)Date: [^\r\n]*\r\n")

# What happens between two pieces of a stream, to both alike.
Happening = Callable[[House], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Told:
    """What came of a stream: all that was heard but the dates, and how the connection stands at the end."""

    heard: bytes
    ended: bool
    requests: Counter[tuple[str, str, int]]
    refusals: list[str]
    tokens: Counter[tuple[str, str]]
    audit: Counter[tuple[object, ...]]
    seconds: float = field(compare=False)  # of the loop's time that were waited for the end


@dataclass(frozen=True, slots=True)
class Twins:
    """The two of them."""

    with_lane: House
    without: House

    @property
    def both(self) -> tuple[House, House]:
        return self.with_lane, self.without

    async def warm(self, requests: Sequence[bytes]) -> None:
        """Have each of these asked by somebody before."""
        for broker in self.both:
            for request in requests:
                await told(broker, [request], (), patience=0)


@asynccontextmanager
async def twins(folder: Path, *names: str) -> AsyncIterator[Twins]:
    """Each holds a token of the same value for each of these names."""
    async with AsyncExitStack() as stack:
        made = []
        for lane in (True, False):
            place = folder / f"{lane:d}"
            place.mkdir(exist_ok=True)
            WAYS.lane = lane
            try:
                broker = await stack.enter_async_context(house(place, *names))
            finally:
                WAYS.lane = True
            for name in names:
                await broker.issued(name)
            made.append(broker)
        yield Twins(*made)


async def told(
    broker: House,
    pieces: Sequence[bytes | int],
    happenings: Sequence[Happening],
    *,
    patience: float,
    slowly: bool = True,
    before: Sequence[bytes] = (),
) -> Told:
    """Send them on one connection, and hear what is answered until nothing more comes, or for so many seconds.

    A number among the pieces is a happening, by its place; whoever sends waits for what came before it. `before` is
    asked on the same connection, each by itself. `slowly`: each piece waits for what came before it.
    """
    loop, heard = asyncio.get_running_loop(), bytearray()
    with socket.socket(socket.AF_UNIX) as client:
        client.setblocking(False)
        await loop.sock_connect(client, str(broker.path))
        reading = asyncio.create_task(_read(client, heard))
        try:
            for request in before:
                await _send(client, request)
                await _quiet(heard)
            heard.clear()
            began = loop.time()
            for piece in pieces:
                if isinstance(piece, int):
                    await _quiet(heard)
                    await happenings[piece](broker)
                else:
                    await _send(client, piece)
                    if slowly:
                        await _quiet(heard)
                    for _ in range(len(piece) % 5):
                        await asyncio.sleep(0)
            await _quiet(heard)
            if patience:
                await asyncio.wait([reading], timeout=patience)
            ended = reading.done()
            took = loop.time() - began
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
    await settle()
    return Told(
        _DATE.sub(b"", heard),
        ended,
        Counter(broker.books.requests),
        broker.books.refusals,
        Counter(broker.books.tokens),
        Counter(each[:4] for each in broker.audit.hand_outs),  # without its life, which is told late
        took,
    )


async def _send(client: socket.socket, piece: bytes) -> None:
    try:
        await asyncio.get_running_loop().sock_sendall(client, piece)
    except OSError:
        return  # it was closed; what was answered is heard all the same


async def _quiet(heard: bytearray) -> None:
    turns, known = 0, -1
    while turns < _QUIET:
        turns = turns + 1 if len(heard) == known else 0
        known = len(heard)
        await asyncio.sleep(0)


async def _read(client: socket.socket, heard: bytearray) -> None:
    try:
        while piece := await asyncio.get_running_loop().sock_recv(client, 65_536):
            heard += piece
    except ConnectionError:
        return
