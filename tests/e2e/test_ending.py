"""How a broker ends, by each signal, and what it leaves; and that two never share a socket."""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest

from tests.contracts.fake_world import FakeWorld
from tests.e2e import keys
from tests.e2e.client import client_of, connections
from tests.e2e.command import broker
from tests.e2e.conftest import Figures
from tests.e2e.daemon import Daemon
from tests.e2e.waiting import until

pytestmark = pytest.mark.e2e

AT_ONCE = 3.0  # seconds for an end with nothing to finish; on an idle machine it takes a tenth of that


async def _daemon(world: FakeWorld, folder: Path, drain: float = 10.0) -> Daemon:
    key = await world.add_key(await world.add_user())
    identities = {"default": {"keys": [keys.directory(folder / "key", key)]}}
    return Daemon(folder / "broker", iam={"url": world.url}, identities=identities, drain=drain)


def _connected(daemon: Daemon, count: int) -> Callable[[], Awaitable[bool]]:
    """A look at how many connections there are; the one that saw the broker come up is kept, and counts."""

    async def look() -> bool:
        return connections(daemon.socket) >= count

    return look


async def test_a_request_in_flight_is_finished_after_sigterm(tmp_path: Path, figures: Figures) -> None:
    """Rule: SIGTERM takes readiness away at once and the waiting caller still gets its token; then exit 0, no socket."""
    async with FakeWorld.serving() as world:
        world.iam.faults.add("hang:on=issue,times=1")
        daemon = await _daemon(world, tmp_path)
        async with daemon, client_of(daemon.socket) as caller:
            waiting = asyncio.create_task(caller.token(wait=20))

            async def asked() -> bool:
                return await world.issue_requests() == 1

            await until(asked, 10, "the issue is in flight")
            await until(_connected(daemon, 2), 10, "its caller is connected")
            async with client_of(daemon.socket) as later:
                # Connections are taken in their order: by this answer the earlier request is being worked on.
                assert (await later.get("/livez")).status == 200
            daemon.send(signal.SIGTERM)

            async def draining() -> bool:
                ready = await daemon.client.get("/readyz")
                assert ready.status == 503
                return bool(ready.body["draining"])

            await until(draining, 5, "readiness says that it drains")
            assert not waiting.done()
            assert daemon.running
            world.iam.faults.clear()
            released = time.monotonic()
            answer = await waiting
            assert answer.status == 200, answer.body
            assert await daemon.ended() == 0
            assert not daemon.socket.exists()
            figures(exit_after_the_answer_seconds=time.monotonic() - released)


async def test_a_request_that_cannot_be_finished_does_not_hold_the_end_up(
    tmp_path: Path, figures: Figures
) -> None:
    """Rule: before the time for draining is over, whoever waits in vain is told why; then the broker ends with 0."""
    async with FakeWorld.serving() as world:
        world.iam.faults.add("hang:on=issue")
        daemon = await _daemon(world, tmp_path, drain=0.5)
        async with daemon, client_of(daemon.socket) as caller:
            waiting = asyncio.create_task(caller.token(wait=30))
            await until(_connected(daemon, 2), 10, "its caller is connected")
            async with client_of(daemon.socket) as later:
                assert (await later.get("/livez")).status == 200
            sent = time.monotonic()
            daemon.send(signal.SIGTERM)
            assert (await waiting).status == 503
            assert await daemon.ended() == 0
            took = time.monotonic() - sent
            assert took < 0.5 + 2 * AT_ONCE  # the library gives what is open a last moment, twice
            figures(exit_seconds=took)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("fault", ["", "hang"])
async def test_with_nothing_in_flight_the_end_comes_at_once(
    number: signal.Signals, fault: str, tmp_path: Path, figures: Figures
) -> None:
    """Rule: SIGTERM and SIGINT end an idle broker with 0, even while IAM leaves it hanging; the socket goes."""
    async with FakeWorld.serving() as world:
        if fault:
            world.iam.faults.add(fault)
        daemon = await _daemon(world, tmp_path)
        async with daemon:
            assert (await daemon.client.token(wait=0 if fault else 10)).status == (503 if fault else 200)
            sent = time.monotonic()
            daemon.send(number)
            assert await daemon.ended() == 0
            took = time.monotonic() - sent
            assert took < AT_ONCE
            assert not daemon.socket.exists()
            figures(exit_seconds=took)


async def test_sighup_does_not_end_it(tmp_path: Path) -> None:
    """Rule: SIGHUP is answered in the log and changes nothing else."""
    async with FakeWorld.serving() as world, await _daemon(world, tmp_path) as daemon:
        held = await daemon.client.token(wait=10)
        daemon.send(signal.SIGHUP)

        async def told() -> bool:
            return "reload" in daemon.log

        await until(told, 5, "the log speaks of the reload")
        assert (await daemon.client.token()).body["token"] == held.body["token"]


async def test_a_killed_broker_leaves_a_socket_that_the_next_one_replaces(
    tmp_path: Path, figures: Figures
) -> None:
    """Rule: what SIGKILL leaves behind does not hinder the next start; until then clients are told plainly."""
    async with FakeWorld.serving() as world, await _daemon(world, tmp_path) as daemon:
        assert (await daemon.client.token(wait=10)).status == 200
        daemon.send(signal.SIGKILL)
        assert await daemon.ended() == -signal.SIGKILL
        assert daemon.socket.exists()
        refused = await broker("token", "--timeout", "1s", socket=daemon.socket)
        assert refused.code == 69
        assert len(refused.sentences) == 1, refused.err
        assert "broker run" in refused.err
        began = time.monotonic()
        await daemon.start()
        assert (await daemon.client.token(wait=10)).status == 200
        figures(back_after_seconds=time.monotonic() - began, told_meanwhile=refused.err.strip())


async def test_a_second_broker_on_the_same_socket_is_refused(tmp_path: Path, figures: Figures) -> None:
    """Rule: it exits 78 with one sentence, and the first one serves on, on connections old and new."""
    async with FakeWorld.serving() as world, await _daemon(world, tmp_path) as daemon:
        held = await daemon.client.token(wait=10)
        second = await broker("run", "--config", daemon.config)
        assert second.code == 78, second.err
        assert len(second.sentences) == 1, second.err
        assert str(daemon.socket) in second.err
        assert (await daemon.client.token()).body["token"] == held.body["token"]
        async with client_of(daemon.socket) as newcomer:
            assert (await newcomer.token()).body["token"] == held.body["token"]
        assert await world.issue_requests() == 1, "the second one asked IAM"
        figures(sentence=second.err.strip())


async def test_after_the_end_nobody_answers(tmp_path: Path) -> None:
    """Rule: a broker that has ended accepts no connection."""
    async with FakeWorld.serving() as world:
        daemon = await _daemon(world, tmp_path)
        async with daemon:
            assert (await daemon.client.token(wait=10)).status == 200
        async with client_of(daemon.socket) as late:
            with pytest.raises(aiohttp.ClientConnectorError):
                await late.get("/livez")


HANGING_NAMES = """
import socket, time
look_up = socket.getaddrinfo
def hanging(host, *rest, **more):
    if host == "iam.hangs.test":
        time.sleep(60)
    return look_up(host, *rest, **more)
socket.getaddrinfo = hanging
"""


async def test_a_name_look_up_that_hangs_does_not_hold_the_end_up(tmp_path: Path, figures: Figures) -> None:
    """Rule: a thread that nobody can end is left behind; else a dead name server would turn each stop into a kill."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site/sitecustomize.py").write_text(HANGING_NAMES)
    async with FakeWorld.serving() as world:
        key = await world.add_key(await world.add_user())
        daemon = Daemon(
            tmp_path / "broker",
            iam={"url": "https://iam.hangs.test/identity/v3"},
            identities={"default": {"keys": [keys.directory(tmp_path / "key", key)]}},
            own={"PYTHONPATH": str(tmp_path / "site")},
        )
        async with daemon:
            begin = time.monotonic()
            daemon.send(signal.SIGTERM)
            assert await daemon.ended() == 0
            took = time.monotonic() - begin
            figures(exit_seconds=took)
            assert took < AT_ONCE
