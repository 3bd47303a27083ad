"""Everything that is simulated, for all strategies, and what came of it as values."""

from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from os import cpu_count
from typing import Any, Final, TypeVar

from structlog.testing import capture_logs

from bench.sim import fleet, loop, week
from bench.sim.fleet import Fleet, FleetPlan
from bench.sim.others import EveryClientAlone, FiveMinutesBefore
from bench.sim.ours import ThisBroker
from bench.sim.strategy import Host, Strategy
from bench.sim.week import REVOCATION, Plan, Week

T = TypeVar("T")
Make = Callable[[Host], Strategy]
Tell = Callable[[str], None]

OURS: Final = "this broker"
STRATEGIES: Final[dict[str, Make]] = {
    OURS: ThisBroker,
    "every client caches alone": EveryClientAlone,
    "a broker that refreshes 5 minutes before expiry": FiveMinutesBefore,
}
OTHERS: Final = tuple(name for name in STRATEGIES if name != OURS)


class DefectError(RuntimeError):
    """The broker logged an error: it is broken, whatever its clients lived through."""


@dataclass(frozen=True, slots=True)
class Row:
    """One strategy."""

    name: str
    week: Week
    fleet: Fleet


@dataclass(frozen=True, slots=True)
class Outcome:
    """All of them, and the early revocation once more with clients that report what was refused."""

    plan: Plan
    fleet_plan: FleetPlan
    rows: tuple[Row, ...]
    reported: Week

    @property
    def ours(self) -> Row:
        return next(row for row in self.rows if row.name == OURS)

    @property
    def others(self) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if row.name != OURS)


def live(name: str, plan: Plan, tell: Tell) -> Week:
    """One strategy's week."""
    return _run(week.week(STRATEGIES[name], plan, lambda event: tell(f"{name}, {event}")))


def live_reporting(plan: Plan, tell: Tell) -> Week:
    """Two hours with an early revocation, which clients report."""
    short = replace(plan, hours=2.0, events=REVOCATION)
    make = partial(ThisBroker, reporting=True)
    return _run(week.week(make, short, lambda event: tell(f"{OURS}, reports, {event}")))


def restart(name: str, plan: FleetPlan, tell: Tell) -> Fleet:
    """A fleet of one strategy, restarted at once."""
    tell(f"{name}, fleet of {plan.hosts} restarted at once")
    return _run(fleet.brokers(plan) if name == OURS else fleet.others(STRATEGIES[name], plan))


def everything(plan: Plan, fleet_plan: FleetPlan, tell: Tell) -> Outcome:
    """All of it, on all processors; `tell` must be a module's function, for it is called in other processes."""
    jobs: dict[tuple[str, str], tuple[Any, ...]] = {
        ("week", name): (live, name, plan, tell) for name in STRATEGIES
    }
    jobs |= {("fleet", name): (restart, name, fleet_plan, tell) for name in STRATEGIES}
    jobs["reported", OURS] = (live_reporting, plan, tell)
    done = dict(_done(jobs))
    rows = (Row(name, done["week", name], done["fleet", name]) for name in STRATEGIES)
    return Outcome(plan, fleet_plan, tuple(rows), done["reported", OURS])


def _done(jobs: dict[tuple[str, str], tuple[Any, ...]]) -> Iterator[tuple[tuple[str, str], Any]]:
    # Spawned, not forked: a fresh interpreter has no thread or lock of this one.
    with ProcessPoolExecutor(cpu_count() or 1, get_context("spawn")) as pool:
        started = {pool.submit(*job): name for name, job in jobs.items()}
        for job in as_completed(started):
            yield started[job], job.result()


def _run(main: Coroutine[Any, Any, T]) -> T:
    """In simulated time, without the broker's log, unless that tells of a defect."""
    with capture_logs() as said:
        result = loop.run(main)
    defects = {str(entry["event"]) for entry in said if entry["log_level"] in {"error", "critical"}}
    if defects:
        raise DefectError(f"the broker logged errors: {', '.join(sorted(defects))}")
    return result
