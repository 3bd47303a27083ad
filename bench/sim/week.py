"""A week of one machine with its clients, and all that happens in it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from bench.sim.clock import SimClock
from bench.sim.crowd import Crowd
from bench.sim.iam import Iam
from bench.sim.ledger import Ledger
from bench.sim.strategy import Host, KeyFile, Strategy

HOUR = 3600.0
RESTARTS = 50
_LOOP = 120.0  # seconds in which the restarts of a crash loop happen

Events = tuple[tuple[float, str], ...]

# Hours since the start. The first outage lies over the end of the first 12-hour token, the worst time for who waits
# for it; where the others fall in a token's life is left to chance.
WEEK: Events = (
    (11.0, "outage"), (13.0, "outage ends"),
    (30.0, "role removed"),
    (40.0, "new key file"), (41.0, "old key deleted"),
    (54.0, "outage"), (56.0, "outage ends"),
    (66.0, "clock -5 min"), (78.0, "clock +5 min"),
    (90.0, "suspend 9 h"),
    (110.0, "early revocation"),
    (130.0, "crash loop"),
    (150.0, "outage"), (152.0, "outage ends"),
)  # fmt: skip

# The same in a day, for tests.
DAY: Events = (
    (3.0, "role removed"),
    (4.0, "new key file"), (5.0, "old key deleted"),
    (6.0, "early revocation"),
    (7.0, "clock -5 min"), (8.0, "clock +5 min"),
    (9.0, "crash loop"),
    (11.5, "outage"), (13.5, "outage ends"),
    (14.0, "suspend 9 h"),
)  # fmt: skip

REVOCATION: Events = ((1.0, "early revocation"),)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a week is made of."""

    hours: float = 168.0
    clients: int = 500
    interval: int = 120  # seconds between two GETs of a client
    events: Events = WEEK
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Week:
    """What came of it."""

    ledger: Ledger
    issues: int  # that brought a token
    asked: dict[str, int]  # requests to IAM, by kind


async def week(make: Callable[[Host], Strategy], plan: Plan, tell: Callable[[str], None]) -> Week:
    """Live through the plan with one strategy; `tell` hears what happens."""
    clock = SimClock()
    iam = Iam(clock, plan.seed)
    host = Host("host-0", clock, iam, KeyFile(iam.new_key()), plan.seed, plan.clients)
    strategy = make(host)
    await strategy.start()
    # Clients are deployed over the first half day, not all in one minute.
    crowd = Crowd(host, strategy, plan.interval, min(12.0, plan.hours / 4) * HOUR)
    busy = asyncio.create_task(crowd.run(plan.hours * HOUR))
    world = _World(host, strategy)
    for hour, event in (planned for planned in plan.events if planned[0] < plan.hours):
        await clock.until(hour * HOUR)
        tell(f"hour {hour:g}: {event}")
        await world.happen(event)
    await busy
    await strategy.stop()
    asked = {str(kind): count for kind, count in iam.asked.items()}
    return Week(crowd.ledger, iam.answered["issue"], asked)


class _World:
    """Makes the events happen."""

    def __init__(self, host: Host, strategy: Strategy) -> None:
        self._host = host
        self._strategy = strategy
        self._old_key = host.key_file.key

    async def happen(self, event: str) -> None:
        iam = self._host.iam
        match event:
            case "outage" | "outage ends":
                iam.down = event == "outage"
            case "role removed":
                iam.realm.remove_role(iam.user.id, "operator")
            case "new key file":
                self._old_key, self._host.key_file.key = self._host.key_file.key, iam.new_key()
            case "old key deleted":
                iam.delete_key(self._old_key)
            case "early revocation":
                iam.revoke()
            case "crash loop":
                await self._crash_loop()
            case _:
                self._move(event)

    def _move(self, event: str) -> None:
        match event:
            case "clock -5 min":
                self._host.clock.step(-300.0)
            case "clock +5 min":
                self._host.clock.step(300.0)
            case "suspend 9 h":
                self._host.clock.suspend(9 * HOUR)
            case _:
                raise ValueError(f"nobody knows how to make {event!r} happen")
        self._strategy.moved()

    async def _crash_loop(self) -> None:
        for _ in range(RESTARTS):
            await self._strategy.restart()
            await asyncio.sleep(_LOOP / RESTARTS)
