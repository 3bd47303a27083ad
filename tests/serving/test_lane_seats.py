"""Connections that wait for their next request: who reads slowly, leaves half, stays silent, or has to make room.

All of it holds with the lane and without it; where the two may differ, the test says so.
"""

import asyncio
import contextlib
import os
import socket
import struct
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from broker.serving import connection, lane, punctual
from tests.fakes.clock import settle
from tests.serving.house import WAYS, house, parsed, places, until
from tests.serving.kept import ASK, LAST, TOKEN, Kept, descriptors, heard, kept, plain, seated, stuffed
from tests.serving.test_full_house import Queue

LIVEZ = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"


async def test_who_reads_late_gets_each_answer_whole_and_in_its_order(tmp_path: Path):
    async with house(tmp_path, "default") as broker:
        await broker.issued()
        async with kept(broker):
            with plain(broker) as client:
                asked = await stuffed(broker, client)
                client.send(LAST)
                found = await heard(client, asked + 1)
                assert found.count(b"HTTP/1.1 200 OK\r\n") == asked + 1
                assert found.endswith(b"}")
                assert found.count(b"Connection: close") == 1
                assert found.rindex(b"Connection: close") > found.rindex(b"HTTP/1.1 200 OK")
                await until(lambda: broker.desk.crowd.inside == 1)
        assert len(broker.books.tokens) == asked + 2


async def test_who_reads_slowly_makes_no_room_meanwhile(tmp_path: Path):
    """In the library it is idle already, and may have to."""
    if not WAYS.lane:
        return
    crowd, callers = places(6), Queue(1, 1, 2, 3, 4, 5, 6)
    async with house(tmp_path, "default", prove=callers, crowd=crowd) as broker, AsyncExitStack() as stack:
        await broker.issued()
        await stack.enter_async_context(kept(broker))
        slow = stack.enter_context(plain(broker))
        asked = await stuffed(broker, slow)
        for _ in range(5):  # each but the first takes the place of somebody
            newcomer = stack.enter_context(plain(broker))
            newcomer.send(ASK)
            await heard(newcomer, 1)
        assert broker.desk.crowd.inside == 3
        await heard(slow, asked)


async def test_who_does_not_read_is_let_go_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(connection, "ANSWER_SECONDS", 0.2)
    monkeypatch.setattr(lane, "ANSWER_SECONDS", 0.2)
    async with house(tmp_path, "default") as broker:
        await broker.issued()
        tasks = len(asyncio.all_tasks())
        async with kept(broker):
            with plain(broker) as client:
                await stuffed(broker, client)
                await until(lambda: broker.desk.crowd.inside == 1)
        await until(lambda: len(asyncio.all_tasks()) <= tasks)


@pytest.mark.parametrize("end", ["half", "whole", "reset"])
@pytest.mark.parametrize("asks", [b"", ASK, ASK[:20]])
async def test_who_leaves_is_forgotten_at_once(tmp_path: Path, end: str, asks: bytes):
    """Half: it says that it will send no more, and still reads."""
    async with house(tmp_path, "default") as broker:
        await broker.issued()
        async with kept(broker):  # so that the first request of all others is known
            tasks, files = len(asyncio.all_tasks()), descriptors()
            for _ in range(20):
                with plain(broker) as client:
                    await until(lambda: broker.desk.crowd.inside == 2)
                    if asks:
                        client.send(asks)
                    match end:
                        case "half":
                            client.shutdown(socket.SHUT_WR)
                        case "reset":
                            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    if end != "half":
                        client.close()
                    await until(lambda: broker.desk.crowd.inside == 1)
            await until(lambda: len(asyncio.all_tasks()) <= tasks)
            assert descriptors() == files


async def test_a_known_request_of_one_who_sends_no_more_is_answered(tmp_path: Path):
    """The lane answers what came before it sees the end; the library may see both at once, and then answers nobody."""
    if not WAYS.lane:
        return
    async with house(tmp_path, "default") as broker:
        await broker.issued()
        async with kept(broker):
            for _ in range(20):
                with plain(broker) as client:
                    client.send(ASK)
                    client.shutdown(socket.SHUT_WR)
                    await heard(client, 1)


async def test_who_is_silent_is_closed_in_time_and_who_asks_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A first request has less time than the next ones."""
    monkeypatch.setattr(punctual, "REQUEST_SECONDS", 0.2)
    monkeypatch.setattr(punctual, "KEEPALIVE_SECONDS", 0.6)
    monkeypatch.setattr(lane, "SWEEP_SECONDS", 0.02)
    loop = asyncio.get_running_loop()
    async with house(tmp_path, "default") as broker:
        await broker.issued()
        async with kept(broker) as one:
            began = loop.time()
            assert await broker.raw(b"") == b""
            assert 0.1 < loop.time() - began < 0.5
            asked = loop.time()
            assert (await one.ask()).status == 200  # whose time begins again
            assert await one.reader.read() == b""
            assert 0.5 < loop.time() - asked < 1.5


async def test_half_a_request_on_a_kept_connection_has_a_first_ones_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(punctual, "REQUEST_SECONDS", 0.2)
    async with house(tmp_path, "default") as broker:
        await broker.issued()
        async with kept(broker) as one:
            one.writer.write(ASK[:-1])
            answer = parsed(await one.reader.read())
            assert (answer.status, answer.tree["code"]) == (408, "timeout")


async def test_in_a_full_house_who_was_used_last_stays(tmp_path: Path):
    """Of one user with most connections; the one that was asked meanwhile goes to the end of the row."""
    async with (
        house(tmp_path, "default", prove=Queue(*[1] * 3, 2, 3, 3), crowd=places(10)) as broker,
        AsyncExitStack() as stack,
    ):
        await broker.issued()
        first, second, third = [await stack.enter_async_context(kept(broker)) for _ in range(3)]
        await stack.enter_async_context(kept(broker))
        for seat in seated(broker):
            seat.used = False  # since somebody has looked
        for each in first, third:
            assert (await each.ask()).status == 200
        await stack.enter_async_context(kept(broker))
        assert broker.books.refusals == []
        with plain(broker) as newcomer:
            newcomer.send(ASK)
            await heard(newcomer, 1)
            assert await second.reader.read() == b""
            assert [(await each.ask()).status for each in (first, third)] == [200, 200]
        assert broker.books.refusals == ["too_many_connections"]


async def test_who_asks_in_the_moment_when_room_is_made_is_answered_or_closed_and_nothing_is_mixed_up(
    tmp_path: Path,
):
    """Those who wait, and newcomers who want their places, are in the same turn of the loop."""
    most = 16
    callers = Queue(*[1] * 8, *range(2, 200))
    async with (
        house(tmp_path, "default", prove=callers, crowd=places(most)) as broker,
        AsyncExitStack() as stack,
    ):
        await broker.issued()
        waiting = []
        for _ in range(4):
            waiting.append(stack.enter_context(plain(broker)))
            waiting[-1].send(ASK)
            await heard(waiting[-1], 1)
        for _ in range(20):
            fresh = [stack.enter_context(plain(broker)) for _ in range(4)]
            for client in (*fresh, *waiting):
                with contextlib.suppress(OSError):
                    client.send(ASK)
            answers = [await one_answer(client) for client in (*fresh, *waiting)]
            assert all(answer == b"" or answer.count(TOKEN) == 1 for answer in answers)
            assert sum(map(bool, answers)) >= 4, "as many as came were let in"
            waiting = fresh
        assert broker.desk.crowd.inside <= most


async def one_answer(client: socket.socket) -> bytes:
    """One, or nothing from who was closed."""
    try:
        found = b""
        async with asyncio.timeout(10):
            while TOKEN not in found:
                piece = await asyncio.get_running_loop().sock_recv(client, 65_536)
                if not piece:
                    return b""
                found += piece
    except ConnectionError:
        return b""
    return found


async def test_going_to_and_fro_leaves_nothing_behind(tmp_path: Path):
    """Between lane and library, a thousand times: no descriptor, no task, no timer, no guest."""
    async with house(tmp_path, "default") as broker:
        await broker.issued()
        async with kept(broker) as one:
            tasks, files = len(asyncio.all_tasks()), descriptors()
            for number in range(500):
                assert (await one.ask(ASK[:-2] + b"X: %d\r\n\r\n" % (number % 50))).status == 200
                if number % 100 == 0:
                    broker.regrant("default")
                if number % 7 == 0:
                    assert (await one.ask(LIVEZ)).status == 200
            await one.ask()
            await settle()
            assert (len(asyncio.all_tasks()), descriptors()) == (tasks, files)
            assert broker.desk.crowd.inside == 1
            if WAYS.lane:
                await until(lambda: seated(broker))


async def test_without_a_descriptor_to_go_back_by_it_stays_with_the_library_and_is_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def none_left(_: int) -> int:
        raise OSError(24, "Too many open files")

    async with house(tmp_path, "default") as broker:
        await broker.issued()
        monkeypatch.setattr(os, "dup", none_left)
        async with AsyncExitStack() as stack:
            reader, writer = await asyncio.open_unix_connection(broker.path)
            stack.callback(writer.close)
            one = Kept(reader, writer)
            assert [(await one.ask()).status for _ in range(5)] == [200] * 5
            await settle()
            assert seated(broker) == []
            monkeypatch.undo()
            assert (await one.ask()).status == 200
            if WAYS.lane:
                await until(lambda: seated(broker))
            assert len(broker.books.tokens) == 6
