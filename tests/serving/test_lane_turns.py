"""What the express lane must do whatever else happens: leave the loop to others, and forget."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from broker.serving import allowed
from broker.serving.connection import Connection
from tests.fakes.clock import settle
from tests.serving.house import WAYS, House, house
from tests.serving.kept import ASK, kept

ROW = b"GET /livez HTTP/1.1\r\nHost: x\r\nX: %d\r\n\r\n"
# One who floods has so many taken in by the library before anything else has its turn.
ACCEPTED = 16
HEARD = 32


def connected(broker: House, stack: ExitStack, count: int) -> Iterator[socket.socket]:
    """So many, all in the kernel's queue: the broker has no turn meanwhile."""
    for _ in range(count):
        one = stack.enter_context(socket.socket(socket.AF_UNIX))
        one.setblocking(False)
        one.connect(str(broker.path))
        yield one


async def most_in_a_turn(broker: House, count: int) -> int:
    """How many connections the library got in one turn of the loop at most, until it has so many more."""
    before, most = in_library(broker), 0
    latest = before
    async with asyncio.timeout(10):
        while latest < before + count:
            await asyncio.sleep(0)
            now = in_library(broker)
            most, latest = max(most, now - latest), now
    return most


def in_library(broker: House) -> int:
    return sum(isinstance(guest, Connection) for guest in broker.desk.crowd._inside)


async def test_who_connects_and_asks_what_is_not_known_leaves_others_their_turn(tmp_path: Path):
    """Rule: accepting ends for this turn once the library has got some: 64 at once kept all others waiting for 12 ms."""
    async with house(tmp_path, "default") as broker:
        with ExitStack() as stack:
            for number, one in enumerate(connected(broker, stack, 100)):
                one.send(ROW % number)
            assert await most_in_a_turn(broker, 100) <= ACCEPTED


async def test_who_sits_and_asks_what_is_not_known_leaves_others_their_turn(tmp_path: Path):
    """Rule: the same for those who were silent at first."""
    async with house(tmp_path, "default") as broker:
        with ExitStack() as stack:
            them = list(connected(broker, stack, 100))
            while broker.desk.crowd.inside < len(them):  # noqa: ASYNC110  (what is watched knows nothing of events)
                await asyncio.sleep(0)
            already = in_library(broker)  # all, where there is no lane
            for number, one in enumerate(them):
                one.send(ROW % number)
            assert await most_in_a_turn(broker, 100 - already) <= HEARD


async def test_a_defect_in_what_is_told_of_it_keeps_no_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Rule: what has changed is forgotten before anything else is done, for all requests that it concerns."""
    other = ASK.replace(b"Host: x", b"Host: y")
    async with house(tmp_path, "default") as broker:
        await broker.issued()
        async with kept(broker) as one, kept(broker, other) as two:
            await one.ask()
            await two.ask(other)

            def defect(*_told: object, **_more: object) -> None:
                raise RuntimeError

            with monkeypatch.context() as broken:
                broken.setattr(broker.desk.auditor, "handed", defect)
                with contextlib.suppress(RuntimeError):
                    broker.regrant()
            assert (await one.ask()).status == 403
            assert (await two.ask(other)).status == 403


async def test_what_is_told_late_tells_of_no_life_below_nothing(tmp_path: Path):
    """Rule: of a token that was handed out just before the machine slept, the audit trail says 0 seconds, not minus a night."""
    async with house(tmp_path, "default") as broker:
        await broker.issued(life=100.0)
        async with kept(broker) as one:
            await one.ask()
            broker.clock.at += 30_000.0
            lives = [life for *_, life in broker.audit.hand_outs]
            assert len(lives) == 2
            assert min(lives) >= 0.0


async def test_a_tick_tells_of_many_a_few_at_a_time_and_of_all_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Rule: one who asks in 4,096 ways must not make all others wait for 25 ms each second."""
    monkeypatch.setattr(allowed, "TOLD_AT_ONCE", 3)
    rows = [b"GET /v1/token HTTP/1.1\r\nHost: x\r\nX: %d\r\n\r\n" % number for number in range(10)]
    async with house(tmp_path, "default") as broker:
        await broker.issued()
        async with kept(broker, *rows) as one:
            told = broker.desk.auditor.hand_outs  # type: ignore[attr-defined]  # it is the book of the house
            before = len(told)
            for row in rows:
                await one.ask(row)
            broker.desk.allowed.tick()
            lane = WAYS.lane
            assert len(told) - before == (3 if lane else 10)
            broker.desk.allowed.tick()  # before the last one is over: it adds nothing
            assert len(told) - before == (3 if lane else 10)
            await settle()
            assert len(told) - before == 10
            for row in rows:
                await one.ask(row)
            broker.desk.allowed.tick()
            broker.desk.allowed.tell()  # as at the end, when all must be told at once
            assert len(told) - before == 20
            await settle()
            assert len(told) - before == 20
