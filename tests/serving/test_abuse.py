"""What one connection may cost: bounded memory, a bounded time to read, no handler that outlives its caller, no log."""

import asyncio
import errno
import logging
import os
import socket
import time
from pathlib import Path

import pytest
import structlog
from structlog.testing import capture_logs

from broker.serving import connection
from broker.serving.application import application
from broker.serving.connection import Connection
from broker.serving.doorway import Doorway
from broker.serving.gates import UNIX_GATES
from broker.serving.site import serving
from tests.serving.house import ALL, WAYS, House, house, kernel, parsed, until

FAT = b"GET /livez HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X-%d: %s\r\n" % (n, b"a" * 8000) for n in range(20))


async def connect(broker: House) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_unix_connection(broker.path)


def only(broker: House) -> Connection:
    """The only connection that there is."""
    [guest] = broker.desk.crowd._inside
    assert isinstance(guest, Connection)
    return guest


def paused(broker: House) -> bool:
    """Whether nothing is read from the only connection that there is."""
    if not any(isinstance(guest, Connection) for guest in broker.desk.crowd._inside):
        return False
    return (link := only(broker)._link) is not None and not link.is_reading()


async def test_a_head_that_fills_the_memory_is_told_and_let_go(tmp_path: Path):
    async with house(tmp_path, "default") as broker:
        answer = parsed(await broker.raw(FAT + b"\r\n"))
        assert (answer.status, answer.tree["code"]) == (413, "too_large")
        assert broker.books.refusals == ["too_large"]
        await until(lambda: broker.desk.crowd.inside <= 1)


async def test_who_never_reads_stops_the_broker_from_reading_too(tmp_path: Path):
    """What it sends on stays with itself; a few answers are made, one is kept, and a row of requests is bounded."""
    request = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
    async with house(tmp_path, "default") as broker:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(broker.path))
            client.setblocking(False)
            sent, stuck = 0, 0
            while stuck < 50:
                try:
                    sent += client.send(request * 1000)
                    stuck = 0
                except BlockingIOError:
                    stuck += 1
                    await asyncio.sleep(0.001)
            guest = only(broker)
            assert paused(broker)
            assert guest._link is not None
            assert len(guest._messages) <= 32
            assert 0 < guest._link.get_write_buffer_size() < 1000, "one answer"
            assert len(broker.books.requests) < 100
            assert sent > 2 * len(request) * len(broker.books.requests), "most of it is still on its way"


async def test_who_reads_late_gets_all_it_asked_for(tmp_path: Path):
    request = b"GET /livez HTTP/1.1\r\nHost: x\r\n"
    async with house(tmp_path, "default") as broker:
        reader, writer = await connect(broker)
        writer.write((request + b"\r\n") * 3000 + request + b"Connection: close\r\n\r\n")
        await until(lambda: paused(broker))
        assert (await reader.read()).count(b"HTTP/1.1 200 OK\r\n") == 3001
        writer.close()


@pytest.mark.parametrize("more", [b"", b"Connection: close\r\n"])
@pytest.mark.parametrize("target", [b"/openapi.json", b"/livez"])
async def test_who_does_not_read_is_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: bytes, more: bytes
):
    monkeypatch.setattr(connection, "ANSWER_SECONDS", 0.2)
    request = b"GET " + target + b" HTTP/1.1\r\nHost: x\r\n"
    async with house(tmp_path, "default") as broker:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(broker.path))
            client.setblocking(False)
            client.send((request + b"\r\n") * 500 + request + more + b"\r\n")
            await until(lambda: broker.desk.crowd.inside)
            await until(lambda: not broker.desk.crowd.inside)
            assert broker.drain._in_flight == 0


async def test_an_answer_that_fits_no_buffer_is_read_whole(tmp_path: Path):
    async with house(tmp_path, "default") as broker:
        await broker.issued()
        answers = [await broker.get("/openapi.json") for _ in range(3)]
        assert {len(answer.body) for answer in answers} == {int(answers[0].headers["Content-Length"])}


async def test_pieces_of_a_row_of_long_requests_do_not_pile_up(tmp_path: Path):
    """Each fits; while one is answered, at most a few of the others are taken in."""
    request = b"GET /v1/token HTTP/1.1\r\nHost: x\r\nPrefer: wait=30\r\nX: %s\r\n\r\n" % (b"a" * 8000)
    async with house(tmp_path, "default") as broker:
        _, writer = await connect(broker)
        writer.write(request * 100)
        await until(lambda: broker.clock.waiting)
        await until(lambda: paused(broker))
        assert len(only(broker)._messages) < 5
        broker.issuers["default"].grant()  # and each is answered at once
        writer.transport.abort()
        await until(lambda: not broker.desk.crowd.inside)


async def test_a_caller_who_leaves_takes_the_handler_along(tmp_path: Path):
    async with house(tmp_path, "default") as broker:
        _, writer = await connect(broker)
        writer.write(b"GET /v1/token HTTP/1.1\r\nHost: x\r\nPrefer: wait=30\r\n\r\n")
        await until(lambda: broker.clock.waiting)
        assert broker.drain._in_flight == 1
        writer.close()
        await until(lambda: broker.drain._in_flight == 0)
        # The issue that it waited for goes on for others (L3).
        assert broker.issuers["default"].calls[0][2].done() is False


@pytest.mark.parametrize("body", [b"not packed at all", b"\x1f\x8b\x08\x00 broken"])
async def test_a_body_that_is_packed_wrongly_writes_no_log(tmp_path: Path, caplog, body: bytes):
    caplog.set_level(logging.DEBUG)
    structlog.configure(logger_factory=structlog.stdlib.LoggerFactory(), cache_logger_on_first_use=False)
    request = (
        b"POST /livez HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nConnection: close\r\n"
        b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
    )
    async with house(tmp_path, "default") as broker:
        assert parsed(await broker.raw(request)).status == 405
    assert [
        record for record in caplog.records if record.levelno > logging.DEBUG and record.name != "asyncio"
    ] == []


async def test_what_no_application_sees_is_counted_too(tmp_path: Path):
    async with house(tmp_path, "default") as broker:
        await broker.raw(b"NONSENSE\r\n\r\n")
        await broker.raw(b"GET /livez HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 20_000 + b"\r\n\r\n")
        assert broker.books.refusals == ["bad_request", "too_large"]
        assert [(route, status) for _, route, status in broker.books.requests] == [
            ("other", 400),
            ("other", 431),
        ]


async def test_at_the_end_waiters_hear_why_instead_of_being_cut_off(tmp_path: Path):
    async with house(tmp_path, "default") as broker:
        request = broker.ask("/v1/token", prefer="wait=30")
        await until(lambda: broker.clock.waiting)
        broker.keyring.end(broker.clock.now() + 9)
        await until(lambda: broker.clock.waiting)
        assert not request.done()
        await broker.clock.advance(9)
        answer = await request
        assert (answer.status, answer.tree["code"]) == (503, "not_ready")


async def test_who_connects_and_leaves_over_and_over_leaves_nothing_behind(tmp_path: Path):
    async with house(tmp_path, "default") as broker:
        tasks = len(asyncio.all_tasks())
        for turn in range(500):
            with socket.socket(socket.AF_UNIX) as client:
                client.setblocking(False)
                client.connect(str(broker.path))
                if turn % 3 == 0:
                    client.send(b"GET /livez HTTP/1.1\r\n")
            if turn % 50 == 0:
                await until(lambda: not broker.desk.crowd.inside)
        await until(lambda: not broker.desk.crowd.inside)
        await until(lambda: len(asyncio.all_tasks()) == tasks)
        assert not any(row._idle or row._at for row in broker.desk.crowd._rows.values())
        assert (await broker.get("/livez")).status == 200


class Tired(socket.socket):
    """A listening socket for which there are no descriptors, for as long as the test says."""

    tired = True
    asked = 0

    def _accept(self):
        type(self).asked += 1
        if self.tired:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return super()._accept()  # type: ignore[misc]  # see `site`


async def test_without_descriptors_a_listener_rests_and_comes_back_while_others_are_served(tmp_path: Path):
    Tired.tired, Tired.asked = True, 0
    async with house(tmp_path, "default") as broker:
        listening = Tired(socket.AF_UNIX)
        listening.bind(str(tmp_path / "tired"))
        listening.listen()
        app = application(broker.desk, Doorway("the tired", ALL, UNIX_GATES, kernel))
        with capture_logs() as told:
            async with serving(app, listening, lane=WAYS.lane):
                reader, writer = await asyncio.open_unix_connection(tmp_path / "tired")
                writer.write(b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                await until(lambda: listening.asked >= 3)
                began, asked = time.monotonic(), listening.asked
                for _ in range(200):
                    assert (await broker.get("/livez")).status == 200
                assert listening.asked - asked <= (time.monotonic() - began) / 0.1 + 1, "it spins"
                Tired.tired = False
                assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
                writer.close()
        assert [line for line in told if line["log_level"] != "debug"] == [
            {
                "event": "accept_failed",
                "log_level": "warning",
                "listener": "the tired",
                "detail": "Too many open files",
            }
        ]


async def test_who_comes_at_the_very_end_is_turned_away_and_nothing_is_left_open(tmp_path: Path):
    async with house(tmp_path, "default") as broker:
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(str(tmp_path / "short"))
        listening.listen()
        app = application(broker.desk, Doorway("the short", ALL, UNIX_GATES, kernel))
        with socket.socket(socket.AF_UNIX) as client:
            async with serving(app, listening, lane=WAYS.lane):
                client.connect(str(tmp_path / "short"))
                while not broker.desk.crowd.inside:  # noqa: ASYNC110  (no later than at once)
                    await asyncio.sleep(0)
            client.settimeout(5)
            assert client.recv(1) == b""
        assert broker.desk.crowd.inside == 0
