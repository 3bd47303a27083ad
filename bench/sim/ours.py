"""This broker, as a strategy: the real core, keeper, keyring and budget, put together as the daemon does it.

What is not here is what surrounds them: HTTP, proof of callers, the sealed file. A restart takes no time.
"""

import asyncio
import random
from collections.abc import Coroutine
from dataclasses import dataclass

from bench.sim.clock import SimClock
from bench.sim.disk import Disk, ProcessStore
from bench.sim.issuer import ModelIssuer
from bench.sim.strategy import PATIENCE, Host, KeyFile
from broker.core import lease
from broker.core.errors import Refusal
from broker.core.model import AccessKey, KeyById
from broker.core.secret import Secret
from broker.keeper.keeper import Keeper
from broker.keeper.keyring import Keyring
from broker.keeper.places import KeyPlace
from broker.keeper.reporting import report
from broker.keeper.setting import Allowance, Setting, Validation

_IDENTITY = "default"
_TICK = 1.0  # seconds, as the daemon
_LATE = 10.0  # seconds that a tick is late when the machine has slept, as the daemon sees it
_SLEPT = 1.0


class FileSource:
    """Implements the port `KeySource`."""

    where = "the simulation"

    def __init__(self, key_file: KeyFile) -> None:
        self._file = key_file

    def read(self) -> AccessKey:
        return KeyById(self._file.key.id, Secret(self._file.key.secret))


@dataclass(frozen=True, slots=True)
class Process:
    """One broker process with one identity."""

    keyring: Keyring
    keeper: Keeper
    store: ProcessStore

    @classmethod
    async def start(cls, host: Host, disk: Disk, number: int, validation: Validation) -> "Process":
        """The process of this number on its host, with what the disk has kept."""
        store, source = ProcessStore(disk), FileSource(host.key_file)
        setting = Setting(
            clock=host.clock,
            host=host.name,
            allowance=Allowance(host.clock.now(), disk.total, store.keep_total),
            jitter=random.Random(f"{host.name} {number} {host.seed}").random,
            validation=validation,
        )
        place = KeyPlace(source, source.read())
        keeper = Keeper(_IDENTITY, [place], ModelIssuer(host.iam, host.clock), store, setting)
        await keeper.restore()
        keyring = Keyring({_IDENTITY: keeper}, host.clock)
        keyring.observe()
        return cls(keyring, keeper, store)

    async def kill(self) -> None:
        """As `kill -9`: what was on its way to the disk does not get there."""
        self.store.killed = True
        await self.keyring.aclose()


class ThisBroker:
    """Implements `Strategy`; `reporting`: clients tell of a refused token, as `broker reject` does."""

    def __init__(self, host: Host, *, reporting: bool = False, validation: Validation | None = None) -> None:
        self._host = host
        self._reporting = reporting
        self._validation = validation or Validation()
        self._disk = Disk()
        self._starts = 0
        self._process: Process | None = None
        self._up = asyncio.Event()
        self._tasks: set[asyncio.Task[object]] = set()

    async def start(self) -> None:
        await self._begin()
        self._spawn(self._ticks())
        await self.get(0)

    def ready(self, client: int) -> bool:  # noqa: ARG002
        process = self._process
        return (
            process is not None and lease.servable(process.keeper.lease, self._host.clock.now()) is not None
        )

    async def get(self, client: int) -> str | None:  # noqa: ARG002
        until = self._host.clock.now() + PATIENCE
        try:
            held = await (await self._running()).keeper.token(until)
        except Refusal:
            return None
        return held.token.value.reveal()

    def refused(self, client: int, text: str) -> None:  # noqa: ARG002
        if self._reporting and self._process is not None:
            until = self._host.clock.now() + PATIENCE
            self._spawn(report(self._process.keeper, Secret(text).sha256(), until))

    async def restart(self) -> None:
        process, self._process = await self._running(), None
        self._up.clear()
        await process.kill()
        await self._begin()

    def moved(self) -> None:
        """It sees for itself."""

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await (await self._running()).kill()

    async def _begin(self) -> None:
        self._starts += 1
        self._process = await Process.start(self._host, self._disk, self._starts, self._validation)
        self._up.set()

    async def _running(self) -> Process:
        # Who asks early waits in the kernel's queue for the process to come up.
        while self._process is None:
            await self._up.wait()
        return self._process

    async def _ticks(self) -> None:
        clock = self._host.clock
        due, suspended = clock.now() + _TICK, clock.suspended()
        while True:
            await asyncio.sleep(_TICK)
            process = await self._running()
            if _woke(clock, due, suspended):
                process.keyring.woke()
            due, suspended = clock.now() + _TICK, clock.suspended()
            process.keyring.observe()

    def _spawn(self, work: Coroutine[object, object, object]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _woke(clock: SimClock, due: float, suspended: float) -> bool:
    return clock.suspended() - suspended > _SLEPT or clock.now() - due > _LATE
