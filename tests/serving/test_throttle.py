"""Strangers are answered at a bounded pace, and never at the cost of those who may read."""

import asyncio
import socket
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import pytest

from broker.core.access import Workload
from broker.serving.crowd import Crowd
from broker.serving.row import Rank
from broker.serving.throttle import (
    ALL_REQUESTS,
    CONNECTIONS,
    MOST_REMEMBERED,
    REQUESTS,
    Throttle,
    peer_of,
)
from tests.fakes.clock import FakeClock, settle
from tests.serving.house import SOCKET, House, Readable, exchange, house, parsed, until
from tests.serving.test_limits import ALIVE
from tests.serving.test_pace import Mask

READER, STRANGER, OTHER = 1001, 1900, 1901
LIVE = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
LAST = b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


class Some(Readable):
    """Lets one user read."""

    def reads_anything(self, workload: Workload) -> bool:
        return workload.uid == READER


async def asked(throttle: Throttle, clock: FakeClock, peer: int, times: int) -> list[asyncio.Task[None]]:
    """So many requests of a peer at once."""
    tasks = [asyncio.create_task(throttle.turn(peer, clock)) for _ in range(times)]
    await settle()
    return tasks


def done(tasks: list[asyncio.Task[None]]) -> int:
    return sum(task.done() for task in tasks)


async def ended(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_burst_is_answered_at_once_and_then_a_hundred_a_second():
    throttle, clock = Throttle(), FakeClock()
    tasks = await asked(throttle, clock, STRANGER, 400)
    assert done(tasks) == REQUESTS.burst == 100
    for seconds in (1, 2):
        await clock.advance(1)
        assert done(tasks) == 100 + 100 * seconds
    await ended(tasks)


async def test_another_stranger_is_not_slowed_by_one_who_floods():
    throttle, clock = Throttle(), FakeClock()
    flood = await asked(throttle, clock, STRANGER, 500)
    assert done(await asked(throttle, clock, OTHER, 100)) == 100
    await ended(flood)


async def test_all_strangers_together_have_a_thousand_a_second_however_many_they_are():
    throttle, clock = Throttle(), FakeClock()
    tasks = [(await asked(throttle, clock, uid, 1))[0] for uid in range(3000)]
    assert done(tasks) == ALL_REQUESTS.burst == 1000
    await clock.advance(1)
    assert done(tasks) == 2000
    await ended(tasks)


async def test_who_leaves_gives_its_turn_back():
    """Else who asks, leaves and comes again would make the others wait without end."""
    throttle, clock = Throttle(), FakeClock()
    for _ in range(20):
        await ended(await asked(throttle, clock, STRANGER, 200))
    [last] = await asked(throttle, clock, STRANGER, 1)
    await clock.advance(0.011)
    assert last.done()


def test_a_stranger_may_make_two_hundred_connections_at_once_and_then_a_hundred_a_second():
    throttle = Throttle()
    assert sum(throttle.admits(STRANGER, 5.0) for _ in range(1000)) == CONNECTIONS.burst == 200
    assert sum(throttle.admits(STRANGER, 6.0) for _ in range(1000)) == 100
    assert throttle.admits(OTHER, 6.0)


def test_what_is_remembered_is_bounded():
    throttle = Throttle()
    for peer in range(5 * MOST_REMEMBERED):
        assert throttle.admits(peer, 5.0)
    assert len(throttle._connections._ends) == MOST_REMEMBERED


@pytest.mark.parametrize(
    ("host", "peer"),
    [
        ("192.0.2.7", bytes([192, 0, 2, 7])),
        ("2001:db8:1:2:3:4:5:6", bytes.fromhex("20010db800010002")),
        ("fe80::1%eth0", bytes.fromhex("fe80000000000000")),
    ],
)
def test_who_is_not_proven_counts_by_its_network(host: str, peer: bytes):
    """So that one host that floods the open port delays no probe of another."""

    class Named(socket.socket):
        def getpeername(self) -> tuple[str, int]:
            return host, 1

    with Named() as one:
        assert peer_of(one, None) == peer
        assert peer_of(one, Workload(STRANGER, None, None, "x")) == STRANGER


def test_who_is_not_proven_on_the_unix_socket_is_one():
    one, other = socket.socketpair()
    with one, other:
        assert peer_of(one, None) == b""


def places() -> Crowd:
    return Crowd(4096, lambda _: False, lambda one: one.uid == READER)


async def flood(broker: House, stack: AsyncExitStack) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection that has used up its burst, and whose next request waits."""
    reader, writer = await asyncio.open_unix_connection(broker.path)
    stack.callback(writer.close)
    for _ in range(REQUESTS.burst):
        writer.write(LIVE)
        await reader.readuntil(ALIVE)
    writer.write(LIVE)
    await until(lambda: broker.clock.waiting)
    return reader, writer


async def test_a_stranger_who_is_over_is_answered_late_and_a_reader_is_never_limited(tmp_path: Path):
    mask = Mask(STRANGER)
    async with (
        house(tmp_path, "default", policy=Some("default"), prove=mask, crowd=places()) as broker,
        AsyncExitStack() as stack,
    ):
        reader, _ = await flood(broker, stack)
        mask.uid = READER
        for _ in range(2 * CONNECTIONS.burst):
            assert parsed(await broker.raw(LAST)).status == 200
        mask.uid = OTHER
        assert parsed(await broker.raw(LAST)).status == 200
        assert broker.clock.waiting == 1
        await broker.clock.advance(0.02)
        await reader.readuntil(ALIVE)


async def test_a_request_that_waits_for_its_turn_is_not_in_flight_and_its_connection_is_idle(tmp_path: Path):
    mask, crowd = Mask(STRANGER), Crowd(8, lambda _: False, lambda one: one.uid < STRANGER)
    async with (
        house(tmp_path, "default", policy=Some("default"), prove=mask, crowd=crowd) as broker,
        AsyncExitStack() as stack,
    ):
        reader, _ = await flood(broker, stack)
        assert broker.drain._in_flight == 0
        for mask.uid in range(READER, READER + 4):
            _, writer = await asyncio.open_unix_connection(broker.path)
            stack.callback(writer.close)
            await until(lambda: crowd._rows[Rank.READER].inside == mask.uid - READER + 1)
        async with asyncio.timeout(10):
            assert await reader.read() == b""
        await until(lambda: not broker.clock.waiting)


async def test_a_wait_ends_when_the_caller_leaves(tmp_path: Path):
    async with house(tmp_path, "default", policy=Some("default"), prove=Mask(STRANGER)) as broker:
        async with AsyncExitStack() as stack:
            _, writer = await flood(broker, stack)
            writer.close()
            await until(lambda: not broker.clock.waiting)
        await until(lambda: not broker.desk.crowd.inside)


async def test_a_stranger_who_connects_too_often_is_closed_and_told(tmp_path: Path):
    mask = Mask(STRANGER)
    async with house(tmp_path, "default", policy=Some("default"), prove=mask, crowd=places()) as broker:
        for _ in range(CONNECTIONS.burst):
            assert broker.desk.throttle.admits(STRANGER, broker.clock.now())
        with suppress(ConnectionError):  # closed before it was read
            assert await broker.raw(LAST) == b""
        assert broker.books.refusals == ["too_many_connections"]
        assert broker.books.told == [("too_many_connections", STRANGER, SOCKET, "other", broker.clock.now())]
        await broker.clock.advance(0.02)
        assert parsed(await broker.raw(LAST)).status == 200


async def test_what_the_library_refuses_before_a_turn_is_asked_for_ends_the_connection(tmp_path: Path):
    """Else `Expect` would be a way around the wait."""
    async with house(tmp_path, "default", policy=Some("default"), prove=Mask(STRANGER)) as broker:
        request = LIVE.replace(b"\r\n\r\n", b"\r\nExpect: much\r\n\r\n")
        answer = await exchange(*await asyncio.open_unix_connection(broker.path), request * 2)
        assert answer.count(b"HTTP/1.1 ") == 1
        assert parsed(answer).tree["code"] == "bad_request"
