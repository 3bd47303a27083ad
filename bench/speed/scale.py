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
_LIFE, _LONG_LIFE = "40s", "12h"
_WAVE = Work(rate=2000.0, seconds=32.0, warm_up=0.0)  # longer than three quarters of that life
_ONCE = Work(seconds=30.0, warm_up=0.0, most=10_000)  # so that each of a thousand was asked for
_BESIDE = 500  # connections that work beside the idle ones


def scale(bench: Bench) -> Iterator[Figure]:
    """All of it."""
    with emulator() as iam, ExitStack() as stack:
        iam.live(_LIFE)
        most = stack.enter_context(_started(bench, iam, _IDENTITIES[-1]))
        yield from _refreshes(bench, iam, most)
        fewer = {count: stack.enter_context(_started(bench, iam, count)) for count in _IDENTITIES[:-1]}
        yield from _identities(bench, dict(sorted({**fewer, _IDENTITIES[-1]: most}.items())))
        yield from _connections(bench, fewer[_IDENTITIES[0]])


def _started(bench: Bench, iam: Emulator, identities: int) -> AbstractContextManager[Broker]:
    room = _CONNECTIONS[-1] + _BESIDE
    return broker(bench.new_folder(), iam, identities, connections=room, command=LIFTED)


def _refreshes(bench: Bench, iam: Emulator, up: Broker) -> Iterator[Figure]:
    """Every token is replaced within seconds, while others ask at a steady rate."""
    bench.load(f"{OURS}, asked for all", up.target(paths=up.paths()), _ONCE)
    iam.live(_LONG_LIFE)  # so that each is replaced once
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
    for count, up in brokers.items():
        bench.load(f"{OURS}, {count:,} identities", up.target(paths=up.paths()), _ONCE)
    for number in range(_ROUNDS):
        for count in _turned(list(brokers), number):
            up = brokers[count]
            load = bench.load(f"{OURS}, {count:,} identities", up.target(paths=up.paths()), Work())
            found[count].append(load.cpu_each)
    yield from _flat(found, "identities")


def _connections(bench: Bench, up: Broker) -> Iterator[Figure]:
    room = _room(bench, up)
    counts = [min(count, room) for count in _CONNECTIONS]
    found: dict[int, list[float]] = {count: [] for count in counts}
    for number in range(_ROUNDS):
        for count in _turned(counts, number):
            with bench.generator.idle(up.target(), count, seconds=30.0):
                load = bench.load(f"{OURS}, {count:,} open connections", up.target(), Work())
            found[count].append(load.cpu_each)
    yield from _flat(found, "open connections")


def _room(bench: Bench, up: Broker) -> int:
    """How many connections may be open and idle while others work."""
    with bench.generator.idle(up.target(), _CONNECTIONS[-1] + _BESIDE, seconds=30.0) as idle:
        room = idle.open - _BESIDE
    if room < _CONNECTIONS[-1]:
        bench.skipped.append(
            f"{_CONNECTIONS[-1]:,} open connections: it has room for {room:,}, which were measured"
        )
    return room


def _flat(found: Mapping[int, Sequence[float]], of: str) -> Iterator[Figure]:
    one, *more = found
    for count in more:
        name, against = f"CPU each, {count:,} {of}", f"with {one}"
        yield Figure(name, OURS, "us", tuple(found[count]), against, tuple(found[one]), goals.FLAT)


def _turned(counts: Sequence[int], number: int) -> Sequence[int]:
    first = number % len(counts)
    return [*counts[first:], *counts[:first]]
