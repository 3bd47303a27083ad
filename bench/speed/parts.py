"""The parts of a run, in the order in which a whole one has them."""

from collections.abc import Callable, Iterator

from bench.speed.bench import Bench
from bench.speed.figures import Figure
from bench.speed.growth import growth
from bench.speed.memory import memory
from bench.speed.processes import Failed
from bench.speed.scale import scale
from bench.speed.starting import cold_start, token_command
from bench.speed.throughput import crowds, throughput

Part = Callable[[Bench], Iterator[Figure]]
PARTS: dict[str, tuple[Part, float]] = {  # with the seconds below which it is not worth a beginning
    "load": (throughput, 0.0),
    "start": (cold_start, 0.0),
    "command": (token_command, 0.0),
    "memory": (memory, 0.0),
    "crowds": (crowds, 40.0),
    "scale": (scale, 120.0),
    "growth": (growth, 60.0),
}
QUICK = ("load", "start", "command", "memory")


def figures(bench: Bench, names: tuple[str, ...]) -> tuple[Figure, ...]:
    """All figures of these parts; one that fails does not take the others along."""
    found: list[Figure] = []
    for name in names:
        part, least = PARTS[name]
        if bench.left < least:
            bench.skipped.append(f"{name}: too little time was left; --only={name} measures it alone")
            continue
        bench.tell(f"{name} ({bench.left:.0f} s left)")
        try:
            found.extend(part(bench))
        except Failed as error:
            bench.faults.append(f"{name}: {error}")
            bench.tell(f"{name} failed: {error}")
    return tuple(found)
