"""A thousand hosts whose processes are started anew at one moment, with nothing kept: how IAM gets their requests later.

- Each host has one client of the strategy; what counts is when IAM issues tokens, in buckets of half an hour.
- The brokers are ticked when something is due instead of each second: between two such moments a tick does nothing.
- They validate each twelve hours instead of each five minutes: a thousand brokers would ask four times a second, evenly.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from bench.sim.clock import SimClock
from bench.sim.disk import Disk
from bench.sim.iam import LIFE, Iam
from bench.sim.ours import Process
from bench.sim.strategy import Host, KeyFile, Strategy
from broker.core import lease
from broker.keeper.keeper import Keeper
from broker.keeper.setting import Validation

BUCKET = 1800.0  # seconds
WINDOW = 3 * 3600.0  # seconds, a quarter of a token's life
_VALIDATION = Validation(every=LIFE)
_TICK = 1.0


@dataclass(frozen=True, slots=True)
class FleetPlan:
    """How many, how long."""

    hosts: int = 1000
    hours: float = 72.0
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Fleet:
    """Issues per half an hour since the restart; the first token's refreshes fall into the window from `opens_at`."""

    buckets: tuple[int, ...]
    opens_at: float  # seconds

    @property
    def window(self) -> tuple[int, ...]:
        """The buckets of the first refresh window."""
        first = int(self.opens_at / BUCKET)
        return self.buckets[first : first + int(WINDOW / BUCKET)]

    @property
    def mean(self) -> float:
        """Issues in a bucket of the first window, if they were spread evenly."""
        return sum(self.window) / len(self.window)

    @property
    def peak(self) -> int:
        """Issues in the fullest bucket of the first window."""
        return max(self.window)

    @property
    def later_peak(self) -> int:
        """Issues in the fullest bucket after it."""
        return max(self.buckets[int((self.opens_at + WINDOW) / BUCKET) :], default=0)


async def brokers(plan: FleetPlan) -> Fleet:
    """A thousand of this broker."""
    clock, iam, hosts = _hosts(plan)
    lives = [asyncio.create_task(_live(host, number)) for number, host in enumerate(hosts, 1)]
    await clock.until(plan.hours * 3600)
    await _end(lives)
    return Fleet(_buckets(iam, plan), LIFE / 2)


async def others(make: Callable[[Host], Strategy], plan: FleetPlan) -> Fleet:
    """A thousand hosts with another strategy."""
    clock, iam, hosts = _hosts(plan)
    strategies = [make(host) for host in hosts]
    # The only client of each asks once; from then on it lives by its timers.
    await asyncio.gather(*(strategy.start() for strategy in strategies))
    await asyncio.gather(*(strategy.get(0) for strategy in strategies))
    await clock.until(plan.hours * 3600)
    await asyncio.gather(*(strategy.stop() for strategy in strategies))
    return Fleet(_buckets(iam, plan), LIFE - WINDOW)


def _hosts(plan: FleetPlan) -> tuple[SimClock, Iam, list[Host]]:
    clock = SimClock()
    iam = Iam(clock, plan.seed)
    key_file = KeyFile(iam.new_key())
    hosts = [Host(f"host-{number}", clock, iam, key_file, plan.seed) for number in range(plan.hosts)]
    return clock, iam, hosts


async def _live(host: Host, number: int) -> None:
    process = await Process.start(host, Disk(), number, _VALIDATION)
    try:
        while True:
            process.keyring.observe()
            await process.keeper.news(_next_tick(process.keeper, host.clock.now()))
    finally:
        await process.kill()


def _next_tick(keeper: Keeper, now: float) -> float:
    """The first whole second at which a tick finds something to do, which may be a flight's landing before it."""
    due = min(keeper.next_try(now), lease.next_check(keeper.lease, now))
    if lease.in_flight(keeper.lease):
        return now + _TICK
    return max(now + _TICK, -(-due // _TICK) * _TICK)


async def _end(lives: list[asyncio.Task[None]]) -> None:
    for life in lives:
        life.cancel()
    await asyncio.gather(*lives, return_exceptions=True)


def _buckets(iam: Iam, plan: FleetPlan) -> tuple[int, ...]:
    buckets = [0] * int(plan.hours * 3600 / BUCKET)
    for at in iam.issued_at:
        if at < plan.hours * 3600:
            buckets[int(at / BUCKET)] += 1
    return tuple(buckets)
