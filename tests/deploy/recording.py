"""A whole broker whose /metrics are recorded sample by sample, with the emulated IAM that it talks to.

- Time is the tests' clock: between two samples it moves by `step` seconds, the broker's tick comes, and whatever that has set
  off (requests to IAM, looks at keys) ends before the scrape. So the series have the spacing that a Prometheus would see, hours of
  them are recorded in seconds, and nothing sleeps. All else is real: sockets, key files, HTTP, the exposition.
"""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from broker.app import Broker, running
from broker.core.degraded import Reason
from broker.fakeiam.model import Key
from broker.fakeiam.server import FakeIam
from broker.identity.sources import Sources
from broker.settings import Settings
from tests.app.whole import key_folder, settings
from tests.deploy.series import Series
from tests.fakes.clock import FakeClock, settle


@dataclass(frozen=True, slots=True)
class World:
    """An emulated IAM and a clock for both it and the broker."""

    folder: Path
    monkeypatch: pytest.MonkeyPatch
    clock: FakeClock
    iam: FakeIam

    def key(self, key: Key, name: str = "keys") -> Path:
        """The access key in a folder of this name."""
        return key_folder(self.folder / name, key.id, key.secret)


class Recording:
    """One broker, and the series that its scrapes make."""

    def __init__(self, folder: Path, clock: FakeClock, step: int) -> None:
        self._folder = folder
        self._clock = clock
        self._step = step
        self.tick: Callable[[], None] = lambda: None
        self.broker: Broker | None = None
        self._tree: Settings
        self._stack = AsyncExitStack()
        self.series = Series(step)

    async def start(self, tree: Settings) -> None:
        """Start a broker, and take the first sample when it has its token."""
        self._tree = tree
        self.broker = await self._stack.enter_async_context(running(tree, Sources({}), self._clock))
        await self._quiet()
        await self.scrape()

    async def end(self) -> None:
        """End it."""
        self.broker, self.tick = None, lambda: None
        await self._stack.aclose()

    @asynccontextmanager
    async def without_broker(self) -> AsyncIterator[None]:
        """The broker is down for as long as the context lasts."""
        await self.end()
        yield
        await self.start(self._tree)

    @property
    def address(self) -> str:
        """Where it listens beside its socket."""
        assert self.broker is not None
        return self.broker.addresses[-1]

    def ailments(self) -> Mapping[Reason, str]:
        """What is wrong around the identity at this moment."""
        assert self.broker is not None
        return self.broker.desk.keyring["default"].ailments()

    async def pass_minutes(self, minutes: int, late: float = 0.0) -> None:
        """Let time pass, each tick `late` by so many seconds."""
        for _ in range(minutes * 60 // self._step):
            await self._clock.advance(self._step + late)
            self.tick()
            await self._quiet()
            await self.scrape()

    async def scrape(self) -> None:
        """One more sample of every series."""
        try:
            reader, writer = await asyncio.open_unix_connection(self._folder / "s")
        except OSError:
            self.series.add(None)
            return
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: broker\r\nConnection: close\r\n\r\n")
        self.series.add((await reader.read()).decode().partition("\r\n\r\n")[2])
        writer.close()

    async def _quiet(self) -> None:
        """Wait until IAM has answered and the keys are looked at; none of it waits for time to pass."""
        async with asyncio.timeout(20):
            while True:
                await settle()
                if not (flying := self._flying()):
                    return
                await asyncio.wait(flying)

    def _flying(self) -> list[asyncio.Task[None]]:
        if self.broker is None:
            return []
        keeper = self.broker.desk.keyring["default"]
        tasks = (keeper._issuing, keeper._checking, keeper._looking, keeper.health._flight)
        return [task for task in tasks if task is not None and not task.done()]


@asynccontextmanager
async def recorded(
    world: World, *keys: Path, step: int = 60, beside: Mapping[str, object] | None = None
) -> AsyncIterator[Recording]:
    """As `recording`; at the end the fault is over, and so is every alert, and promtool is asked for all that was said."""
    async with recording(world, *keys, step=step, beside=beside) as story:
        yield story
        story.series.firing()
    story.series.verify(world.folder / "recorded.yaml")


@asynccontextmanager
async def recording(
    world: World, *keys: Path, step: int = 60, beside: Mapping[str, object] | None = None
) -> AsyncIterator[Recording]:
    """A broker with a token; it has these keys, or the emulator's own. `beside`: further tables of settings."""
    story = Recording(world.folder, world.clock, step)

    @asynccontextmanager
    async def by_hand(tick: Callable[[], None]) -> AsyncIterator[None]:
        story.tick = tick
        yield

    world.monkeypatch.setattr("broker.app.ticking", by_hand)
    # So often it comes here, and no machine slept between two.
    world.monkeypatch.setattr("broker.tick.EVERY", float(step))
    async with world.iam.serve() as url:
        places = keys or (world.key(world.iam.key),)
        tables = {"iam": {"url": url}, "cache": {"off": True}, **(beside or {})}
        await story.start(
            settings(world.folder, {"default": {"keys": [str(place) for place in places]}}, **tables)
        )
        # A tick that is a minute after the last one sweeps each time; as in `broker run`, not through all that is loaded.
        gc.freeze()
        try:
            yield story
        finally:
            gc.unfreeze()
            await story.end()
