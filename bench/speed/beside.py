"""From loads to figures: a server beside Go in the same rounds, and the broker beside itself without the lane."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from bench.speed import goals
from bench.speed.contenders import GO, OURS, STOCK
from bench.speed.figures import NO_GOAL, Figure, Goal
from bench.speed.generator import Load
from bench.speed.kinds import Kind


def beside_go(
    kind: Kind, name: str, loads: Sequence[Load], go: Sequence[Load], nginx: Sequence[Load]
) -> Iterator[Figure]:
    """The figures of one server; only the broker's have goals, and the best aim of them is nginx."""
    ours = name == OURS
    if kind.work.rate:
        for part, goal in (("p50", NO_GOAL), ("p99", goals.P99), ("p999", NO_GOAL)):
            its, others = ([getattr(load, part) for load in row] for row in (loads, go))
            yield _figure(f"{part} {kind.name}", name, "us", its, others, goal if ours else NO_GOAL)
        return
    goal = kind.throughput if ours else NO_GOAL
    if goal is goals.KEEP_UNIX and nginx:
        goal = replace(goal, aim=_throughput(kind, "", nginx, go, NO_GOAL).value)
    yield _throughput(kind, name, loads, go, goal)
    its, others = ([load.cpu_each for load in row] for row in (loads, go))
    yield _figure(f"CPU each, {kind.name}", name, "us", its, others, kind.cpu if ours else NO_GOAL)


def beside_stock(kind: Kind, ours: Sequence[Load], stock: Sequence[Load]) -> Figure:
    """What the lane gains."""
    figure = _throughput(
        kind, OURS, ours, stock, goals.LANE if kind.throughput is goals.KEEP_UNIX else NO_GOAL
    )
    return replace(figure, name=f"lane: {figure.name}", against=STOCK)


def _throughput(kind: Kind, name: str, loads: Sequence[Load], others: Sequence[Load], goal: Goal) -> Figure:
    its, their = ([load.per_second for load in row] for row in (loads, others))
    return _figure(f"requests, {kind.name}", name, "/s", its, their, goal)


def _figure(
    name: str, who: str, unit: str, its: Sequence[float], others: Sequence[float], goal: Goal
) -> Figure:
    return Figure(name, who, unit, tuple(its), GO, tuple(others), goal)
