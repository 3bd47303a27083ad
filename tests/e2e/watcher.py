"""A workload that asks all the time, and has Keystone itself judge what it gets: each token, and it again and again.

Judging every answer would keep Keystone busy, and workloads would ask no longer twenty times a second but a few.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp

from tests.e2e.daemon import Daemon
from tests.keystone.asking import validate
from tests.keystone.world import KeystoneWorld

PACE = 0.05  # seconds: twenty GETs a second
JUDGED = 4  # one of so many answers with a token that was judged before


@dataclass
class Watcher:
    """What one identity's workload has seen."""

    gets: int = 0
    refused: list[tuple[float, str]] = field(default_factory=list)  # when, and the code
    dead: list[float] = field(default_factory=list)  # when a token came that Keystone does not accept
    slowest: float = 0.0
    judged: int = 0
    last: str = field(default="", repr=False)  # the token of the last answer

    def bad_since(self, moment: float, until: float = float("inf")) -> float:
        """For how many seconds from that moment on something was amiss."""
        late = [at for at in (*self.dead, *(at for at, _ in self.refused)) if moment <= at < until]
        return max(late, default=moment) - moment


@asynccontextmanager
async def watching(
    daemon: Daemon, world: KeystoneWorld, names: list[str]
) -> AsyncIterator[Mapping[str, Watcher]]:
    """Ask for these identities for as long as the context lasts."""
    watchers = {name: Watcher() for name in names}
    stop = asyncio.Event()
    tasks = [asyncio.create_task(_watch(daemon, world, name, watchers[name], stop)) for name in names]
    try:
        yield watchers
    finally:
        stop.set()
        await asyncio.gather(*tasks)


async def _watch(daemon: Daemon, world: KeystoneWorld, name: str, seen: Watcher, stop: asyncio.Event) -> None:
    while not stop.is_set():
        began = time.monotonic()
        try:
            answer = await daemon.client.token(name)
        except (aiohttp.ClientError, OSError):
            await asyncio.sleep(PACE)  # it was killed; nobody can answer then
            continue
        seen.gets += 1
        seen.slowest = max(seen.slowest, answer.seconds)
        if answer.status != 200:
            seen.refused.append((began, answer.body["code"]))
        else:
            token = answer.body["token"]
            if token != seen.last or seen.gets % JUDGED == 0:
                await _judge(world, seen, token, began)
            seen.last = token
        await asyncio.sleep(max(0.0, PACE - (time.monotonic() - began)))


async def _judge(world: KeystoneWorld, seen: Watcher, token: str, began: float) -> None:
    try:
        accepted = await validate(world, token) == 200
    except aiohttp.ClientError:
        return  # Keystone is down, and nobody can say
    seen.judged += 1
    if not accepted:
        seen.dead.append(began)
