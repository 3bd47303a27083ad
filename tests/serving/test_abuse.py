"""What one connection may cost: bounded memory, a bounded time to read, no handler that outlives its caller, no log."""

import asyncio
import logging
from pathlib import Path

import pytest
import structlog

from broker.serving import connection
from tests.serving.house import House, house, parsed, until

FAT = b"GET /livez HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X-%d: %s\r\n" % (n, b"a" * 8000) for n in range(20))


async def connect(broker: House) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_unix_connection(broker.path)


async def test_a_head_that_fills_the_memory_is_told_and_let_go(tmp_path: Path):
    async with house(tmp_path, "default") as broker:
        answer = parsed(await broker.raw(FAT + b"\r\n"))
        assert (answer.status, answer.tree["code"]) == (413, "too_large")
        assert broker.books.refusals == ["too_large"]
        await until(lambda: broker.desk.crowd._of.total() <= 1)


async def test_who_does_not_read_the_answers_is_let_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(connection, "ANSWER_SECONDS", 0.2)
    request = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"
    async with house(tmp_path, "default") as broker:
        _, writer = await connect(broker)
        await until(lambda: broker.desk.crowd._of.total() == 1)
        async with asyncio.timeout(10):
            try:
                while broker.desk.crowd._of.total():
                    writer.write(request)
                    await asyncio.sleep(0.001)
            except ConnectionError:
                pass
        writer.close()


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
