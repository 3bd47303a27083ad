"""`broker explain` says of a thousand random callers what the daemon answers them, under random grants and limits.

- The callers are real processes: users with groups, in a pid namespace of their own, in units where this host lets the
  test make their control groups. The daemons are real, and take the settings of each round over by SIGHUP.
- Both outcomes are frequent, or agreement would prove little.
"""

import asyncio
import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import pytest
from click.testing import CliRunner

from broker.cli.main import broker as commands
from broker.core.errors import ConfigError
from broker.settings import load
from tests.callers.folders import open_folder
from tests.callers.test_tcp_namespaces import can_unshare
from tests.e2e.asking import needs_root
from tests.e2e.callers import Answers, Crew, Who, crew, order, standing, told
from tests.e2e.command import broker
from tests.e2e.conftest import Figures
from tests.e2e.control_groups import control_group
from tests.e2e.daemon import Daemon, Table, free_port, in_toml
from tests.e2e.waiting import until

pytestmark = [pytest.mark.e2e, needs_root]

SEED = 20
ROUNDS, CALLERS, PROCESSES = 7, 48, 8  # of each broker
LEAST = 0.25  # of all comparisons, each outcome
OWNER = 54324
UIDS = (0, OWNER, 65534, 54321, 54322, 54323)
GIDS = (0, 54331, 54332, 54333, 65534)
NAMES = ("default", "shop", "spare")
UNITS = {
    "agrees-a.service": ("system.slice", "agrees-a.service"),
    "agrees-b.service": ("agrees.slice", "agrees-jobs.slice", "agrees-b.service"),
}
SLICES = ("system.slice", "agrees.slice", "agrees-jobs.slice")
WHOM: Mapping[str, Sequence[object]] = {"users": UIDS, "groups": GIDS, "units": (*UNITS, *SLICES)}


@dataclass(frozen=True, slots=True)
class Broker:
    """A broker, what its settings have beside listeners and grants, and what `explain` must be told of it."""

    daemon: Daemon
    labels: tuple[str, ...]
    head: str
    tail: str
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Case:
    """A caller, and what it asks."""

    who: Who
    unit: str | None
    elsewhere: bool
    label: str
    identity: str

    @property
    def words(self) -> list[str]:
        """As `explain` takes it."""
        gids = [word for gid in (self.who.gid, *self.who.groups) for word in ("--gid", str(gid))]
        units = [word for name in (UNITS[self.unit] if self.unit else ()) for word in ("--unit", name)]
        where = ["--other-pid-namespace"] if self.elsewhere else []
        asked = ["--listener", self.label, "--identity", self.identity]
        return [*asked, "--uid", str(self.who.uid), *gids, *units, *where]

    @property
    def order(self) -> Table:
        """As a crew takes it: first the token, then the state."""
        place = Path(self.label) if self.label.startswith("/") else int(self.label.rpartition(":")[2])
        path = f"/v1/identities/{self.identity}"
        return order(self.who, place, f"{path}/token", path)


async def test_a_thousand_random_callers(figures: Figures) -> None:
    """Rule: one verdict on the token and on the state, for each caller on each listener, by each of three brokers."""
    chance, began = random.Random(SEED), time.monotonic()  # noqa: S311  (the same cases each time)
    seen, processes = Counter[str](), 0
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(open_folder())
        units = stack.enter_context(_units())
        crews = {False: await stack.enter_async_context(crew())}
        if can_unshare("--pid", "--fork"):
            crews[True] = await stack.enter_async_context(crew("unshare", "--pid", "--fork"))
        for number, (owner, on_a_host) in enumerate([(None, False), (None, True), (OWNER, True)]):
            async with _broker(folder / str(number), owner, on_a_host=on_a_host) as one:
                for turn in range(ROUNDS):
                    await _reload(one, chance, granted=turn > 0)
                    cases = [_case(chance, one, units, [*crews]) for _ in range(CALLERS)]
                    answers = await _asked(crews, cases)
                    for case, answer in zip(cases, answers, strict=True):
                        _agree(one, case, answer)
                    seen += _counted(cases, answers)
                processes += await _agree_as_processes(one, cases[:PROCESSES], answers[:PROCESSES])
    compared = seen["allowed"] + seen["denied"]
    assert compared >= 1000
    assert min(seen["allowed"], seen["denied"]) >= LEAST * compared, seen
    assert len(crews) == 1 or min(seen["allowed elsewhere"], seen["denied elsewhere"]) > 0
    assert not units or seen["allowed in a unit"] > 0
    figures(seconds=time.monotonic() - began, compared=compared, processes=processes, units=[*units], **seen)


@asynccontextmanager
async def _broker(folder: Path, owner: int | None, *, on_a_host: bool) -> AsyncIterator[Broker]:
    folder.mkdir()  # noqa: ASYNC240  (nothing else is going on)
    other, tcp = str(folder / "b/t.sock"), f"127.0.0.1:{free_port()}"
    listen: list[Table] = [{"unix": other}, {"tcp": tcp}]
    async with standing(folder, NAMES, listen, owner=owner, on_a_host=on_a_host) as daemon:
        text = daemon.config.read_text()
        head, tail = text[: text.index("[[listen]]")], text[text.index("[identities.") :]
        words = ("--no-in-container",) if on_a_host else ()
        yield Broker(daemon, (str(daemon.socket), other, tcp), head, tail, words)


@contextmanager
def _units() -> Iterator[Mapping[str, Path]]:
    """The control groups of those units that can be had."""
    with ExitStack() as stack:
        groups = {unit: stack.enter_context(control_group(*path)) for unit, path in UNITS.items()}
        yield {unit: group for unit, group in groups.items() if group}


async def _reload(one: Broker, chance: random.Random, *, granted: bool) -> None:
    """Other grants and limits; without grants the owner's rule holds."""
    while True:
        limits = [None, chance.sample(NAMES, 2), chance.choice([None, chance.sample(NAMES, 2)])]
        grants = [_grant(chance, one.labels) for _ in range(chance.randint(4, 9) if granted else 0)]
        lines = [
            line for label, limit in zip(one.labels, limits, strict=True) for line in _listen(label, limit)
        ]
        lines += [line for grant in grants for line in in_toml("[[grants]]", grant)]
        one.daemon.config.write_text("\n".join([one.head, *lines, one.tail]))
        try:
            load(one.daemon.config, {})
        except ConfigError:
            continue  # one that can never match is refused, as a grant to a group over TCP alone
        break
    before = len(one.daemon.events("reloaded"))
    one.daemon.send(signal.SIGHUP)

    async def taken() -> bool:
        return len(one.daemon.events("reloaded")) > before

    await until(taken, 20, "the settings are taken over")


def _listen(label: str, limit: Sequence[str] | None) -> Sequence[str]:
    return in_toml(
        "[[listen]]",
        {"unix" if label.startswith("/") else "tcp": label} | ({"identities": limit} if limit else {}),
    )


def _grant(chance: random.Random, labels: Sequence[str]) -> Table:
    listeners = chance.sample(labels, chance.choice([0, 0, 1, 2]))
    grant: dict[str, object] = {"identity": chance.choice(NAMES)}
    if listeners:
        grant["listeners"] = listeners
    if listeners and chance.random() < 0.3:
        return {**grant, "any": True}
    kinds = chance.sample([*WHOM], chance.randint(1, 3))
    return grant | {kind: chance.sample(WHOM[kind], chance.randint(1, 2)) for kind in kinds}


def _case(chance: random.Random, one: Broker, units: Mapping[str, Path], places: Sequence[bool]) -> Case:
    unit = chance.choice([None, *units])
    groups = tuple(chance.sample(GIDS, chance.randint(0, 2)))
    who = Who(chance.choice(UIDS), chance.choice(GIDS), groups, units[unit] if unit else None)
    identity = chance.choice([*NAMES, *NAMES, *NAMES, "nowhere"])
    return Case(who, unit, chance.choice(places), chance.choice(one.labels), identity)


async def _asked(crews: Mapping[bool, Crew], cases: Sequence[Case]) -> list[tuple[bool, bool]]:
    """Whether the daemon gave the token, and whether it told the state."""
    mine = {where: [place for place, case in enumerate(cases) if case.elsewhere is where] for where in crews}
    orders = {where: [cases[place].order for place in places] for where, places in mine.items()}
    said = await asyncio.gather(*(crews[where].say(orders[where]) for where in crews))
    by_place = dict(zip(chain(*mine.values()), chain(*said), strict=True))
    return [_judged(told(by_place[place])) for place in range(len(cases))]


def _judged(answers: Answers | str) -> tuple[bool, bool]:
    assert len(answers) == 2, answers
    assert {*answers} <= {(200, None), (403, "access_denied")}
    return answers[0] == (200, None), answers[1] == (200, None)


def _agree(one: Broker, case: Case, answer: tuple[bool, bool]) -> None:
    """In this process: a thousand of its own would take minutes."""
    clean = {name: None for name in os.environ if name.startswith(("KAKAOCLOUD_", "OS_"))}
    words = ["explain", "--json", "--config", str(one.daemon.config), *one.words, *case.words]
    result = CliRunner().invoke(commands, words, env=clean)
    [row] = json.loads(result.stdout)["listeners"]
    assert (row["allowed"], row["view"]) == answer, (case, row, one.daemon.config.read_text())
    assert result.exit_code == (0 if row["allowed"] else 77)


async def _agree_as_processes(
    one: Broker, cases: Sequence[Case], answers: Sequence[tuple[bool, bool]]
) -> int:
    config = ("--config", str(one.daemon.config))
    ended = await asyncio.gather(*(broker("explain", *config, *one.words, *case.words) for case in cases))
    for case, answer, end in zip(cases, answers, ended, strict=True):
        assert (end.code, end.err) == (0 if answer[0] else 77, ""), case
        assert end.out.startswith("allowed: " if answer[0] else "denied: ")
    return len(ended)


def _counted(cases: Sequence[Case], answers: Sequence[tuple[bool, bool]]) -> Counter[str]:
    seen = Counter[str]()
    for case, (allowed, _) in zip(cases, answers, strict=True):
        word = "allowed" if allowed else "denied"
        where = "a socket" if case.label.startswith("/") else "TCP"
        seen.update([word, f"{word} on {where}", f"{word} in a unit" if case.unit else f"{word} in none"])
        seen.update([f"{word} elsewhere"] if case.elsewhere else [])
        seen.update([f"{word} to root"] if case.who.uid == 0 else [])
        seen.update([f"{word} to the owner"] if case.who.uid == OWNER else [])
    return seen
