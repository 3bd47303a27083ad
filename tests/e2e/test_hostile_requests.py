"""All hostile requests that are kept, as raw bytes over both listeners of a real broker, again and again.

Each gets a 4xx or a closed connection and never a token, while an honest client gets one at every request; the broker's
memory and the lag of its loop stay flat, and nothing of it is worth a line above debug.
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.contracts.fake_world import FakeWorld
from tests.e2e import keys
from tests.e2e.asking import METADATA, by_aiohttp, by_httpx
from tests.e2e.conftest import Figures
from tests.e2e.daemon import Daemon
from tests.e2e.spoken import SPOKEN
from tests.fuzz.corpus import Kept, kept
from tests.fuzz.grammar import split

pytestmark = pytest.mark.e2e

HOSTILE = kept("hostile")
ROUNDS = 5
AT_ONCE = 40
QUIET = 0.4  # seconds; who has answered and says no more for so long has said it all
LONGEST = 25.0
GROWN = 8.0  # MiB; buffers of the allocator, far less than what one round receives and answers
LAG = 0.5  # seconds, on a machine that does other things too
_STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3}) ")

Connect = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]


async def _said(connect: Connect, pieces: Sequence[bytes]) -> bytes:
    """All that is answered to these bytes."""
    reader, writer = await connect()
    heard = b""
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        async with asyncio.timeout(LONGEST):
            while piece := await asyncio.wait_for(reader.read(65_536), QUIET if heard else None):
                heard += piece
    except ConnectionError:
        pass  # it closed before all was said
    except TimeoutError:
        assert heard, "it neither answered nor closed"
    finally:
        writer.close()
    return heard


async def _round(doors: dict[str, Connect], those: Sequence[Kept], places: list[float]) -> list[str]:
    """All of them at each of their listeners, and which of them got what they should not."""
    turn, wrong, all_heard = asyncio.Semaphore(AT_ONCE), [], []

    async def one(each: Kept, door: str) -> None:
        async with turn:
            heard = await _said(doors[door], split(each.stream, places))
        all_heard.append(heard.decode("latin-1"))
        if any(not status.startswith(b"4") for status in _STATUS.findall(heard)) or b"gAAAA" in heard:
            wrong.append(f"{each} over {door}: {heard!r}")

    await asyncio.gather(*(one(*case) for each in those for case in each.cases))
    SPOKEN.said("answers to hostile requests", "\n".join(all_heard))
    return wrong


@asynccontextmanager
async def _honest(daemon: Daemon) -> AsyncIterator[list[float]]:
    """A client that asks without a pause, on new connections; how long each pair of answers took."""
    took: list[float] = []

    async def ask() -> None:
        while True:
            began = time.monotonic()
            for answer in await asyncio.gather(
                by_httpx("http://b/v1/token", {}, socket=daemon.socket),
                by_aiohttp(f"http://{daemon.tcp[0]}/v1/token", METADATA),
            ):
                assert answer.status == 200, answer
                assert answer.tree["token"]
            took.append(time.monotonic() - began)

    asking = asyncio.create_task(ask())
    try:
        yield took
        assert not asking.done(), asking.exception()
    finally:
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)


def _memory(pid: int) -> float:
    """In MiB, what the process has in memory."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4096 / 2**20


async def _lag(daemon: Daemon) -> float:
    text = (await by_aiohttp(f"http://{daemon.tcp[0]}/metrics", {})).body.decode()
    found = re.search(r"^broker_loop_lag_seconds ([0-9.e+-]+)$", text, re.MULTILINE)
    assert found, text
    return float(found[1])


async def test_hostile_requests_get_no_token_and_cost_nothing(tmp_path: Path, figures: Figures) -> None:
    """Rule: a 4xx or a closed connection for each, the honest client served meanwhile, memory and lag flat."""
    async with FakeWorld.serving() as world:
        key = await world.add_key(await world.add_user())
        identities = {"default": {"keys": [keys.directory(tmp_path / "key", key)]}}
        iam, listen = {"url": world.url}, [{"tcp": "127.0.0.1:0"}]
        async with Daemon(tmp_path / "b", iam=iam, identities=identities, listen=listen) as daemon:
            assert (await daemon.client.token(wait=10)).status == 200
            host, _, port = daemon.tcp[0].rpartition(":")
            doors: dict[str, Connect] = {
                "unix": lambda: asyncio.open_unix_connection(daemon.socket),
                "tcp": lambda: asyncio.open_connection(host, int(port)),
            }
            # What is not whole is answered when its time is over, which need not be seen each time.
            quick = [each for each in HOSTILE if each.status not in {"408", "closed"}]
            memory, lags = [], []
            async with _honest(daemon) as took:
                for number in range(ROUNDS):
                    those, places = (quick, [0.2, 0.7][: number % 3]) if number else (HOSTILE, [])
                    assert await _round(doors, those, places) == []
                    memory.append(_memory(daemon.pid))
                    lags.append(await _lag(daemon))
            assert len(took) > 2 * ROUNDS
            for defect in ("connection_defect", "request_defect"):
                assert daemon.events(defect) == []
    sent = sum(len(each.doors) * (1 if each not in quick else ROUNDS) for each in HOSTILE)
    figures(
        hostile_requests=sent,
        different=len(HOSTILE),
        honest_pairs=len(took),
        slowest_pair=max(took),
        mebibytes=[round(each, 1) for each in memory],
        lag=max(lags),
    )
    assert memory[-1] - memory[1] < GROWN, memory
    assert max(lags) < LAG, lags
