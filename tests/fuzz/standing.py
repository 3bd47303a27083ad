"""A broker that stands for many examples: one identity with a token, the daemon's own two doors, and a client of bytes."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from structlog.testing import capture_logs
from structlog.typing import EventDict

from broker.keeper.setting import Validation
from broker.observability.metrics import Metrics
from broker.openings import openings
from broker.serving.allowed import Allowed
from broker.serving.application import application
from broker.serving.site import serving
from broker.settings import Settings
from tests.facade.front import OneSecret
from tests.fakes.clock import settle
from tests.fuzz.leaping import LeapingLoop
from tests.serving.house import House, Readable, house, until

TOKEN = "gAAAAABtheTokenOfDefault"
# Of an identity that nobody may read.
FORBIDDEN = "gAAAAABtheTokenOfOther"
LIFE = 1e9  # seconds; nothing is renewed meanwhile
# By then the broker has answered or closed: a request has 10 s, a connection kept alive 75 s, a long poll 30 s.
DEADLINE = 200.0
_LONGEST_POLL = 31.0
_TURNS = 4  # of the loop, in which a piece is read before the next one is sent

FACADES = ("127.0.0.1:9780",)

Address = str | tuple[str, int]


@dataclass(frozen=True, slots=True)
class Heard:
    """What came back on one connection."""

    answer: bytes
    ended: str  # "closed", "reset" or "open"
    seconds: float  # of the loop's time


@dataclass(slots=True, repr=False)
class Standing:
    """The broker and its doors by name, and whatever it said that nobody should see."""

    house: House
    runner: asyncio.Runner
    doors: dict[str, Address]
    said: list[EventDict]
    defects: list[str] = field(default_factory=list)

    def __repr__(self) -> str:
        return "the broker"

    def ask(self, door: str, pieces: Sequence[bytes], *, half_close: bool = False) -> Heard:
        """Send the pieces one after the other, and hear all that is answered until the broker closes."""
        return self.runner.run(self._ask(door, pieces, half_close=half_close))

    def tasks(self) -> int:
        """How many tasks there are once everything that can end has ended; the one that counts is among them."""

        async def count() -> int:
            await settle()
            return len(asyncio.all_tasks())

        return self.runner.run(count())

    async def _ask(self, door: str, pieces: Sequence[bytes], *, half_close: bool) -> Heard:
        loop, address, heard = asyncio.get_running_loop(), self.doors[door], bytearray()
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        began = loop.time()
        with socket.socket(family) as client:
            client.setblocking(False)
            if family == socket.AF_INET:  # else the kernel would keep small pieces back, in real time
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await loop.sock_connect(client, address)
            # A long poll ends by the broker's clock, which is not the loop's.
            polls = b"wait" in b"".join(pieces).lower()
            alarm = asyncio.create_task(self._let_time_pass() if polls else asyncio.sleep(0))
            reading = asyncio.create_task(_read(client, heard))
            try:
                await _send(client, pieces, half_close=half_close)
                async with asyncio.timeout(DEADLINE):
                    ended = await asyncio.shield(reading)
            except TimeoutError:
                ended = "open"
            finally:
                alarm.cancel()
                reading.cancel()
                await asyncio.gather(alarm, reading, return_exceptions=True)
        return Heard(bytes(heard), ended, loop.time() - began)

    async def _let_time_pass(self) -> None:
        while True:
            await asyncio.sleep(_LONGEST_POLL)
            if self.house.clock.waiting:
                await self.house.clock.advance(_LONGEST_POLL)


async def _send(client: socket.socket, pieces: Sequence[bytes], *, half_close: bool) -> None:
    loop = asyncio.get_running_loop()
    try:
        for piece in pieces:
            await loop.sock_sendall(client, piece)
            for _ in range(_TURNS):
                await asyncio.sleep(0)
        if half_close:
            client.shutdown(socket.SHUT_WR)
    except OSError:
        return  # it was closed before all was said; what was answered is read all the same


async def _read(client: socket.socket, heard: bytearray) -> str:
    loop = asyncio.get_running_loop()
    try:
        while piece := await loop.sock_recv(client, 65_536):
            heard += piece
    except ConnectionError:
        return "reset"
    return "closed"


@contextmanager
def standing(folder: Path) -> Iterator[Standing]:
    """Serve on the Unix socket `unix` and on the loopback `tcp`, in a loop of its own."""
    with asyncio.Runner(loop_factory=LeapingLoop) as runner, capture_logs() as said:
        stack = AsyncExitStack()
        broker = runner.run(stack.enter_async_context(_opened(folder, runner, said)))
        runner.get_loop().set_exception_handler(lambda _, context: broker.defects.append(repr(context)))
        try:
            yield broker
        finally:
            runner.run(stack.aclose())


@asynccontextmanager
async def _opened(folder: Path, runner: asyncio.Runner, said: list[EventDict]) -> AsyncIterator[Standing]:
    async with (
        house(
            folder,
            "default",
            "other",
            policy=Readable("default"),
            facades=FACADES,
            validation=Validation(),
        ) as broker,
        AsyncExitStack() as stack,
    ):
        await broker.issued("default", LIFE, TOKEN)
        await broker.issued("other", LIFE, FORBIDDEN)
        # Who asks the facade again has the token looked at, which is answered at once where that has been done before.
        await broker.clock.advance(2)
        broker.keyring.observe()
        await until(lambda: all(broker.keyring[name].lease.watch.evidence for name in broker.keyring))
        meter = Metrics("0", lambda: ())
        desk = replace(
            broker.desk,
            meter=meter,
            allowed=Allowed(broker.clock, meter, broker.audit),
            client_secrets=OneSecret({}),
        )
        doors: dict[str, Address] = {}
        for opening in openings(_settings(folder)):
            doorway, listening = stack.enter_context(opening)
            await stack.enter_async_context(serving(application(desk, doorway), listening, lane=True))
            doors["tcp" if listening.family == socket.AF_INET else "unix"] = listening.getsockname()
        yield Standing(broker, runner, doors, said)


def _settings(folder: Path) -> Settings:
    listen = [{"unix": str(folder / "fuzz")}, {"tcp": "127.0.0.1:0"}]
    identities = {"default": {"keys": ["/nowhere"]}}
    return Settings.model_validate({"listen": listen, "identities": identities})
