"""How long the broker's ticks took, as `bench.speed.lifted` wrote it down."""

from dataclasses import dataclass

VARIABLE = "KAKAOCLOUD_BROKER_BENCH_TICKS"  # names the file to the process


@dataclass(frozen=True, slots=True)
class Tick:
    """One tick, in milliseconds."""

    wall: float
    cpu: float  # of the thread: what the tick itself cost, whatever else ran on the machine


def parse(text: str) -> list[Tick]:
    """The ticks of a file."""
    return [Tick(*(int(micro) / 1000 for micro in line.split())) for line in text.splitlines()]


def line(wall: int, cpu: int) -> str:
    """A line of the file, for so many nanoseconds."""
    return f"{wall // 1000} {cpu // 1000}\n"
