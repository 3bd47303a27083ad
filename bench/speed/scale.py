"""Whether a request costs the same among many identities and many connections, and whether ticks and refreshes disturb."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack

from bench.speed import goals
from bench.speed.bench import Bench
from bench.speed.contenders import OURS
from bench.speed.daemon import LIFTED, Broker, broker
from bench.speed.emulator import Emulator, emulator
from bench.speed.figures import Figure
from bench.speed.generator import Work

_IDENTITIES = (1, 100, 1000)
_CONNECTIONS = (1, 100, 10_000)
_ROUNDS = 5
_LIFE, _LONG_LIFE = "30s", "12h"
_WAVE = Work(rate=2000.0, seconds=24.0, warm_up=0.0)  # from half of that life to three quarters is in it
_BESIDE = 500  # connections that work beside the idle ones


def scale(bench: Bench) -> Iterator[Figure]:
    """All of it."""
    with emulator() as iam, ExitStack() as stack:
        iam.live(_LIFE)
        most = stack.enter_context(_started(bench, iam, _IDENTITIES[-1]))
        iam.live(_LONG_LIFE)
        yield from _refreshes(bench, iam, most)
        fewer = {count: stack.enter_context(_started(bench, iam, count)) for count in _IDENTITIES[:-1]}
        yield from _identities(bench, dict(sorted({**fewer, _IDENTITIES[-1]: most}.items())))
        yield from _connections(bench, fewer[_IDENTITIES[0]])


def _started(bench: Bench, iam: Emulator, identities: int) -> AbstractContextManager[Broker]:
    room = _CONNECTIONS[-1] + _BESIDE
    return broker(bench.new_folder(), iam, identities, connections=room, command=LIFTED)


def _refreshes(bench: Bench, iam: Emulator, up: Broker) -> Iterator[Figure]:
    """Every token is replaced within seconds, while others ask at a steady rate."""
    had, ticked = iam.issued(), len(up.ticks())
    load = bench.load(f"{OURS}, refreshing", up.target(paths=up.paths()), _WAVE)
    ticks = up.ticks()[ticked:]
    name = f"{iam.issued() - had:,} refreshes of {len(up.identities):,} identities"
    yield Figure(f"loop lag, {name}", OURS, "s", (up.loop_lag(),), goal=goals.NO_STALL)
    yield Figure(f"p99 at {_WAVE.rate:,.0f}/s, {name}", OURS, "us", (load.p99,))
    yield Figure(f"longest answer, {name}", OURS, "ms", (load.longest / 1000,))
    yield Figure(
        f"longest tick, CPU, {name}", OURS, "ms", (max(tick.cpu for tick in ticks),), goal=goals.TICK
    )
    yield Figure(f"ticks, {name}", OURS, "ms", tuple(tick.wall for tick in ticks))


def _identities(bench: Bench, brokers: Mapping[int, Broker]) -> Iterator[Figure]:
    found: dict[int, list[float]] = {count: [] for count in brokers}
    for number in range(_ROUNDS):
        for count in _turned(list(brokers), number):
            up = brokers[count]
            load = bench.load(f"{OURS}, {count:,} identities", up.target(paths=up.paths()), Work())
            found[count].append(load.cpu_each)
    yield from _flat(found, "identities")


def _connections(bench: Bench, up: Broker) -> Iterator[Figure]:
    found: dict[int, list[float]] = {count: [] for count in _CONNECTIONS}
    for number in range(_ROUNDS):
        for count in _turned(_CONNECTIONS, number):
            with bench.generator.idle(up.target(), count, seconds=30.0) as idle:
                load = bench.load(f"{OURS}, {count:,} open connections", up.target(), Work())
            if idle.open < count and not number:
                bench.skipped.append(
                    f"{count:,} open connections: it lets in {idle.open:,}, which were measured"
                )
            found[count].append(load.cpu_each)
    yield from _flat(found, "open connections")


def _flat(found: Mapping[int, Sequence[float]], of: str) -> Iterator[Figure]:
    one, *more = found
    for count in more:
        goal = goals.FLAT
        name = f"CPU each, {count:,} {of}"
        yield Figure(name, OURS, "us", tuple(found[count]), f"{one} of them", tuple(found[one]), goal)


def _turned(counts: Sequence[int], number: int) -> Sequence[int]:
    first = number % len(counts)
    return [*counts[first:], *counts[:first]]
