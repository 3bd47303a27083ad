"""The kinds of work under which everybody is measured, and what the broker has to reach in each beside Go."""

from dataclasses import dataclass, replace

from bench.speed import goals
from bench.speed.figures import NO_GOAL, Goal
from bench.speed.generator import Work

RATE = 2000.0  # a second: what a busy host may ask
_CROWDS = (1, 64, 512)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of work."""

    name: str
    work: Work
    throughput: Goal = NO_GOAL
    cpu: Goal = NO_GOAL
    tcp: bool = False

    def shortened(self) -> "Kind":
        """For a quick run."""
        work = replace(self.work, seconds=0.3 if not self.work.rate else 0.6, warm_up=0.1)
        return replace(self, work=work)


_EACH = Work(each_connects=True)
SIXTEEN = (
    Kind("keep-alive, 16, Unix", Work(), goals.KEEP_UNIX, goals.CPU_KEEP),
    Kind("a connection each, 16, Unix", _EACH, goals.CONNECT_UNIX, goals.CPU_CONNECT),
    Kind("keep-alive, 16, TCP", Work(), goals.KEEP_TCP, tcp=True),
    Kind("a connection each, 16, TCP", _EACH, goals.CONNECT_TCP, tcp=True),
    Kind(f"at {RATE:,.0f}/s, Unix", Work(rate=RATE, seconds=1.5)),
)
CROWDS = tuple(
    Kind(
        f"{'a connection each' if each else 'keep-alive'}, {callers}, {'TCP' if tcp else 'Unix'}",
        Work(callers, each_connects=each, seconds=0.5, warm_up=0.2),
        tcp=tcp,
    )
    for tcp in (False, True)
    for each in (False, True)
    for callers in _CROWDS
)
