"""Requests under load, all servers in turn: how many, at which cost, and how late.

A round measures everybody once in each kind of work, one directly after the other, and begins with another one each time:
what disturbs the machine for a while disturbs all of them.
"""

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack

from bench.speed import contenders
from bench.speed.bench import Bench
from bench.speed.beside import beside_go, beside_stock
from bench.speed.contenders import GO, NGINX, OURS, STOCK, Contender
from bench.speed.emulator import emulator
from bench.speed.figures import Figure
from bench.speed.generator import Load, Target
from bench.speed.kinds import CROWDS, SIXTEEN, Kind

Rounds = Mapping[tuple[Kind, str], Sequence[Load]]
_ROUNDS = 6
_QUICK_ROUNDS = 3
_CROWD_ROUNDS = 3
_SHARE = 0.7  # of the time that is left, at most; the first round is made in any case


def throughput(bench: Bench) -> Iterator[Figure]:
    """Sixteen callers at once, and so many requests a second as a busy host asks."""
    with ExitStack() as stack:
        everybody = _started(bench, stack)
        kinds = [kind.shortened() for kind in SIXTEEN] if bench.quick else SIXTEEN
        rounds = measured(bench, everybody, kinds, _QUICK_ROUNDS if bench.quick else _ROUNDS)
    yield from _figures(rounds)


def crowds(bench: Bench) -> Iterator[Figure]:
    """One caller, and many."""
    with ExitStack() as stack:
        everybody = [one for one in _started(bench, stack) if one.name in {OURS, GO, NGINX}]
        kinds = [kind.shortened() for kind in CROWDS] if bench.quick else CROWDS
        rounds = measured(bench, everybody, kinds, 1 if bench.quick else _CROWD_ROUNDS)
    yield from _figures(rounds)


def measured(
    bench: Bench, everybody: Sequence[Contender], kinds: Sequence[Kind], rounds: int
) -> dict[tuple[Kind, str], list[Load]]:
    """The rounds, fewer where the time does not suffice."""
    found: dict[tuple[Kind, str], list[Load]] = defaultdict(list)
    until = time.monotonic() + bench.left * _SHARE
    for number in range(rounds):
        began = time.monotonic()
        for kind in kinds:
            for one in rotated(everybody, number):
                if (target := _target(one, kind)) is not None:
                    found[kind, one.name].append(bench.load(f"{one.name}, {kind.name}", target, kind.work))
        now = time.monotonic()
        bench.tell(f"round {number + 1} of {rounds} took {now - began:.0f} s")
        if now + (now - began) > until:
            break
    return found


def rotated(everybody: Sequence[Contender], number: int) -> Sequence[Contender]:
    """Everybody, in an order that begins with another one in each round."""
    first = number % len(everybody)
    return [*everybody[first:], *everybody[:first]]


def _started(bench: Bench, stack: ExitStack) -> list[Contender]:
    iam = stack.enter_context(emulator())
    folder = bench.new_folder()
    folder.mkdir()
    return contenders.started(stack, bench.tools, folder, iam)


def _target(one: Contender, kind: Kind) -> Target | None:
    """None: it does not do this kind of work."""
    if not (one.keeps or kind.work.each_connects):
        return None
    return one.tcp if kind.tcp else one.unix


def _figures(rounds: Rounds) -> Iterator[Figure]:
    for (kind, name), loads in rounds.items():
        if name != GO and (kind, GO) in rounds:
            yield from beside_go(kind, name, loads, rounds[kind, GO], rounds.get((kind, NGINX), ()))
        if name == OURS and (kind, STOCK) in rounds and not kind.work.rate:
            yield beside_stock(kind, loads, rounds[kind, STOCK])
