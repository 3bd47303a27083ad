"""Who is served and who is not, wherever the caller runs, and whatever becomes of it while it asks.

- The owner, a granted user, a member of a granted group and a stranger ask from the host, from a pid namespace of their
  own and from another network namespace, on the socket and over TCP.
- A broker that is stopped meanwhile makes sure of the order: the caller has ended, or another one has its pid or its port,
  before the broker comes to look.
"""

import json
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.callers.folders import open_folder
from tests.callers.test_process import needs_pidfd, recycled
from tests.callers.test_tcp_namespaces import can_unshare
from tests.e2e.asking import needs_root
from tests.e2e.callers import Answers, Crew, Who, crew, standing
from tests.e2e.conftest import Figures
from tests.e2e.control_groups import control_group
from tests.e2e.daemon import Daemon, Table, free_port
from tests.e2e.waiting import until

pytestmark = [pytest.mark.e2e, needs_root]

OWNER, GRANTED, STRANGER, ALSO, LAST, GROUP = 54324, 54322, 54321, 54325, 54326, 54399
ROOT = Who(0)
FOUR = {
    "owner": Who(OWNER),
    "granted": Who(GRANTED),
    "member": Who(54323, groups=(GROUP,)),
    "stranger": Who(STRANGER),
}
PLACES = {
    "here": (),
    "pid namespace": ("unshare", "--pid", "--fork"),
    "network namespace": ("unshare", "--net"),
}
UNIT = ("system.slice", "callers-test.service")
GRANTS: list[Table] = [
    {"identity": "default", "users": [GRANTED, ALSO]},
    {"identity": "default", "groups": [GROUP]},
    {"identity": "other", "users": [GRANTED, ALSO]},
    {"identity": "other", "units": [UNIT[-1]]},
]
TOKEN, OTHER, STATE = "/v1/identities/default/token", "/v1/identities/other/token", "/v1/identities/default"
YES: tuple[int, str | None] = (200, None)
NO: tuple[int, str | None] = (403, "access_denied")
BOTH, NEITHER, VIEW = [YES, YES], [NO, NO], [NO, YES]
ENDED: dict[str, Answers] = {"granted": BOTH, "member": [YES, NO]}  # the two tokens, by user or group alone


@asynccontextmanager
async def _broker(grants: list[Table]) -> AsyncIterator[tuple[Daemon, Crew]]:
    """A broker of OWNER's as on a host, with the identities `default` and `other`; and a crew beside it."""
    with open_folder() as folder:
        listen: list[Table] = [{"tcp": "127.0.0.1:0"}]
        async with (
            standing(folder, ("default", "other"), listen, grants, owner=OWNER) as daemon,
            crew() as here,
        ):
            yield daemon, here


def _port(daemon: Daemon) -> int:
    return int(daemon.tcp[0].rpartition(":")[2])


@asynccontextmanager
async def _stopped(daemon: Daemon) -> AsyncIterator[None]:
    """The kernel takes connections for it meanwhile; it looks at none before it goes on."""
    daemon.send(signal.SIGSTOP)

    async def stopped() -> bool:
        return _shown(daemon.pid, "stat").rpartition(")")[2].split()[0] == "T"

    try:
        await until(stopped, 10, "the broker stands still")
        yield
    finally:
        daemon.send(signal.SIGCONT)


def _shown(pid: int, name: str) -> str:
    return Path(f"/proc/{pid}/{name}").read_text()


async def _audited(daemon: Daemon, here: Crew) -> list[dict[str, Any]]:
    """The lines of the audit trail up to now; a refusal of nobody else's, which they end with, says that all are there."""

    def lines() -> list[dict[str, Any]]:
        return [json.loads(line) for line in (daemon.config.parent / "stdout").read_text().splitlines()]

    async def ended() -> list[dict[str, Any]] | None:
        found = lines()
        return found[:-1] if found[-1]["uid"] == LAST else None

    assert await here.ask(Who(LAST), daemon.socket, TOKEN) == [NO]
    return await until(ended, 10, "the last line is written")


@pytest.mark.parametrize("granted", [True, False])
async def test_from_wherever_they_ask_the_four_are_judged_by_the_grants(
    granted: bool, figures: Figures
) -> None:
    """Rule: no namespace adds to a right or takes from it, but that its root is not ours, and that loopback is its own."""
    expected: dict[str, tuple[Answers, Answers]] = {
        "owner": (VIEW, VIEW) if granted else (BOTH, BOTH),
        "granted": (BOTH, BOTH) if granted else (NEITHER, NEITHER),
        "member": (BOTH, NEITHER) if granted else (NEITHER, NEITHER),
        "stranger": (NEITHER, NEITHER),
    }
    asked = []
    async with _broker(GRANTS if granted else []) as (daemon, _):
        for place, prefix in PLACES.items():
            if prefix and not can_unshare(*prefix[1:]):
                continue
            asked.append(place)
            async with crew(*prefix) as there:
                for name, who in FOUR.items():
                    by_socket = await there.ask(who, daemon.socket, TOKEN, STATE)
                    by_tcp = await there.ask(who, _port(daemon), TOKEN, STATE)
                    unreached = isinstance(by_tcp, str) and place == "network namespace"
                    assert (by_socket, expected[name][1] if unreached else by_tcp) == expected[name], (
                        place,
                        name,
                    )
                    assert unreached is (place == "network namespace")
                ours = place != "pid namespace"
                root = await there.ask(ROOT, daemon.socket, TOKEN, STATE)
                assert root == ((VIEW if granted else BOTH) if ours else NEITHER), place
    figures(asked_from=asked)


async def test_who_ends_while_it_asks_is_still_the_user_that_it_was_but_in_no_unit(figures: Figures) -> None:
    """Rule: on the socket the kernel keeps the user; what only /proc tells of a caller that is gone counts for nothing."""
    with control_group(*UNIT) as group:
        in_unit = Who(STRANGER, group_of_control=group)
        async with _broker(GRANTS) as (daemon, here):
            if group:
                assert await here.ask(in_unit, daemon.socket, OTHER) == [YES]
                assert await here.ask(in_unit, _port(daemon), OTHER) == [NO]
            for name, who in (FOUR | {"in a unit": in_unit}).items():
                async with _stopped(daemon):
                    pid = await here.leave(who, daemon.socket, TOKEN, OTHER)
                assert await here.collect(pid) == ENDED.get(name, NEITHER), name
    figures(in_a_unit=group is not None)


@needs_pidfd
async def test_who_has_the_pid_of_a_caller_lends_it_no_unit() -> None:
    """The attack: connect, end, and have a process of a granted unit get the pid before the broker looks."""
    with control_group(*UNIT) as group:
        if group is None:
            pytest.skip("no control group can be made here")
        async with _broker(GRANTS) as (daemon, here):
            for name, who in FOUR.items():
                async with AsyncExitStack() as stack:
                    await stack.enter_async_context(_stopped(daemon))
                    pid = await here.leave(who, daemon.socket, TOKEN, OTHER)
                    stack.enter_context(recycled(pid))
                    (group / "cgroup.procs").write_text(str(pid))
                    assert UNIT[-1] in _shown(pid, "cgroup")
                    daemon.send(signal.SIGCONT)
                    assert await here.collect(pid) == ENDED.get(name, NEITHER), name
            assert {line["unit"] for line in await _audited(daemon, here)} == {None}


@needs_pidfd
async def test_root_of_a_container_does_not_become_the_hosts_by_its_pid() -> None:
    """The attack: its root connects and ends, and a process of this host's root gets the pid before the broker looks."""
    place = PLACES["pid namespace"]
    if not can_unshare(*place[1:]):
        pytest.skip("this host forbids new pid namespaces")
    async with _broker([]) as (daemon, here), crew(*place) as there:
        assert await here.ask(ROOT, daemon.socket, TOKEN, STATE) == BOTH
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(_stopped(daemon))
            pid = await there.leave(ROOT, daemon.socket, TOKEN, STATE)
            stack.enter_context(recycled(pid))
            assert (
                len(next(line for line in _shown(pid, "status").splitlines() if "NSpid" in line).split()) == 2
            )
            daemon.send(signal.SIGCONT)
            assert await there.collect(pid) == NEITHER


async def test_over_tcp_nobody_is_served_who_has_ended_and_nobody_else_is_taken_for_it() -> None:
    """Rule: a request whose sender has closed or reset is that of an unknown caller; others are served as before."""
    async with _broker(GRANTS) as (daemon, here):
        for way in ("close", "reset"):
            for who in (*FOUR.values(), ROOT):
                async with _stopped(daemon):
                    assert await here.ask(who, _port(daemon), OTHER, way=way) == []
                # Taken in order: when this one is answered, that one was looked at.
                assert await here.ask(Who(ALSO), _port(daemon), TOKEN) == [YES]
        refused = daemon.events("refused")
        assert {(event["reason"], event["uid"]) for event in refused} == {("caller_unknown", None)}
        assert {line["uid"] for line in await _audited(daemon, here)} == {None, ALSO}


async def test_over_tcp_who_ends_as_fast_as_it_can_is_itself_or_unknown() -> None:
    """Rule: whichever comes first, the look of the broker or the end of the caller, no other user is named."""
    async with _broker(GRANTS) as (daemon, here):
        for _ in range(20):
            assert await here.ask(Who(STRANGER), _port(daemon), OTHER, way="close") == []
        assert await here.ask(Who(ALSO), _port(daemon), TOKEN) == [YES]
        assert {event["uid"] for event in daemon.events("refused")} <= {None, STRANGER}
        named = {(line["uid"], line["event"]) for line in await _audited(daemon, here)}
        assert named <= {(None, "refusal"), (STRANGER, "refusal"), (ALSO, "token")}


@pytest.mark.parametrize(("first", "second"), [(GRANTED, STRANGER), (STRANGER, GRANTED)])
async def test_the_next_user_of_a_port_neither_lends_its_name_nor_gets_an_answer(
    first: int, second: int
) -> None:
    """The attack: send a request and reset, so that the next one who gets the port is looked up in its place."""
    async with _broker(GRANTS) as (daemon, here):
        own = free_port()
        async with _stopped(daemon):
            assert await here.ask(Who(first), _port(daemon), OTHER, own_port=own, way="reset") == []
            pid = await here.leave(Who(second), _port(daemon), TOKEN, own_port=own)
        assert await here.collect(pid) == [YES if second == GRANTED else NO]
        lines = await _audited(daemon, here)
        assert {(line["uid"], line["identity"]) for line in lines if line["uid"]} == {(second, "default")}


async def test_users_that_have_one_port_after_the_other_are_each_themselves(figures: Figures) -> None:
    """Rule: a port that was closed a moment ago says nothing about who has it now."""
    async with _broker(GRANTS) as (daemon, here):
        own, turns = free_port(), 10
        for _ in range(turns):
            for uid, answer in ((GRANTED, YES), (STRANGER, NO)):
                assert await here.ask(Who(uid), _port(daemon), TOKEN, own_port=own) == [answer]
    figures(turns=turns)
