"""A program that reads a token file in a loop never sees an empty, torn or ended one: through refreshes, ends, and kill -9.

A part of it in each run; `make e2e-files` (KAKAOCLOUD_BROKER_LONG=1) makes it 1,000 refreshes and 100 kills.
"""

import asyncio
import os
import random
import signal
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from broker.clock import BootClock
from broker.core.lease import State
from broker.core.model import Held
from broker.core.secret import Secret
from broker.core.timing import span
from broker.sinks.sink import Sink
from broker.sinks.token_file import TokenFile
from tests.contracts.fake_world import FakeWorld
from tests.core.builders import fresh, token
from tests.e2e import keys
from tests.e2e.command import ROOT
from tests.e2e.conftest import Figures
from tests.e2e.daemon import Daemon
from tests.e2e.reading import reading

pytestmark = pytest.mark.e2e

LONG = os.environ.get("KAKAOCLOUD_BROKER_LONG") == "1"
REFRESHES = 1000 if LONG else 100
KILLS = 100 if LONG else 5
ENDS_EVERY = 25  # one token in so many is left to end
SHORT = 1.4  # seconds: it may be served for 0.4
LIFE = 24.0  # seconds that the emulator's tokens live, of which a quarter is left when they are replaced at the latest
TEMPLATE = "{{ token }}\n{{ 'x' * 100000 }}\n{{ token }}"  # long enough to be torn
DRAW = random.Random(4711)  # noqa: S311  (no secret)


def held(number: int, life: float, clock: BootClock) -> Held:
    """A token that says itself when it ends, as `expires_at` does: a second after the broker's own deadline."""
    lived = span(clock.now(), life, 0.5)
    value = Secret(f"{number}:{lived.sent_at + life:.6f}")
    return Held(replace(token(), value=value, digest=value.sha256()), lived)


async def come(condition: object) -> None:
    """Let the loop turn until a thread is through."""
    assert callable(condition)
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  (threads know nothing of events)
            await asyncio.sleep(0.0005)


async def another(path: Path) -> None:
    """Return when the file is another one."""
    before = path.stat().st_ino  # noqa: ASYNC240  (a moment)
    await come(lambda: path.stat().st_ino != before)


@pytest.mark.timeout(300)
async def test_through_refreshes_and_ends(tmp_path: Path, figures: Figures) -> None:
    """The lease is the test's, by the real clock; task, threads and disk are the broker's own."""
    template, path, clock = tmp_path / "template", tmp_path / "t", BootClock()
    template.write_text(TEMPLATE)
    sink = Sink(TokenFile(path, "default", "", template=template), clock)
    kept = fresh("key-1")
    sink.start()
    async with reading(path, "sequence") as reader:
        for number in range(1, REFRESHES + 1):
            ends = number % ENDS_EVERY == 0
            kept = replace(kept, state=State.HELD, held=held(number, SHORT if ends else 43200.0, clock))
            sink.follow(kept)
            await come(lambda: sink.state == "current")
            if ends:
                await come(lambda: sink.state == "absent")
        reader.well()
        await sink.end(remove=True)
    figures(**reader.figures)
    assert reader.figures["tokens"] > REFRESHES / 4, "it has seen too little to tell"
    assert reader.figures["gone"] > REFRESHES / ENDS_EVERY / 2, "tokens that ended have left the file"
    assert list(tmp_path.iterdir()) == [template]  # noqa: ASYNC240


@pytest.mark.timeout(300)
async def test_through_kills_in_the_middle_of_writing(tmp_path: Path, figures: Figures) -> None:
    """A writer at full speed, so that each kill hits another step; what it leaves is cleaned away by the next."""
    (tmp_path / "template").write_text(TEMPLATE)
    (tmp_path / "files").mkdir()
    path = tmp_path / "files" / "t"

    async def start() -> asyncio.subprocess.Process:
        command = (sys.executable, "-m", "tests.e2e.token_writer", str(path), str(tmp_path / "template"))
        return await asyncio.create_subprocess_exec(*command, cwd=ROOT)

    def leftovers() -> int:
        return len([name for name in os.listdir(path.parent) if name != "t"])  # noqa: PTH208

    process, left = await start(), 0
    try:
        await come(path.exists)
        async with reading(path, "sequence") as reader:
            for _ in range(KILLS):
                await another(path)
                await asyncio.sleep(DRAW.random() * 0.03)
                process.kill()
                await process.wait()
                assert leftovers() <= 1
                left += leftovers()
                process = await start()
                reader.well()
            await another(path)
    finally:
        process.kill()
        await process.wait()
    figures(kills=KILLS, left_behind=left, **reader.figures)
    assert reader.figures["absent"] == 0


@pytest.mark.files
@pytest.mark.timeout(600)
async def test_through_kills_of_a_whole_broker(tmp_path: Path, figures: Figures) -> None:
    """The file never goes missing either: each start has the token sealed in its cache, and proves that the file holds it."""
    (tmp_path / "files").mkdir()
    path = tmp_path / "files" / "t"
    async with FakeWorld.serving(life=LIFE) as world:
        key = await world.add_key(await world.add_user())
        daemon = Daemon(
            tmp_path / "broker",
            iam={"url": world.url},
            identities={"default": {"keys": [keys.directory(tmp_path / "key", key)]}},
            files=[{"path": str(path), "format": "json"}],
        )
        async with daemon:
            await come(path.exists)
            async with reading(path, "json") as reader:
                for _ in range(KILLS):
                    await asyncio.sleep(DRAW.random() * 0.3)  # anywhere in its work
                    daemon.send(signal.SIGKILL)
                    assert await daemon.ended() == -signal.SIGKILL
                    daemon.socket.unlink()
                    await daemon.start()
                    reader.well()
                assert (await daemon.client.token(wait=10)).status == 200
                await reader.stop()
            issued = world.iam.counters.issued
    figures(kills=KILLS, issued=issued, **reader.figures)
    assert reader.figures["absent"] == 0
    assert reader.figures["read"] > KILLS
    assert list(path.parent.iterdir()) == []
