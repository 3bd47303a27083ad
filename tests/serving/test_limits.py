"""Each request of a connection has a bounded time to arrive, and no more."""

import asyncio
import time
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from broker.serving import lane, punctual
from broker.serving.connection import Connection
from tests.serving.house import House, house, parsed, until

HEAD = b"GET /livez HTTP/1.1\r\nHost: x\r\n"
WHOLE = HEAD + b"\r\n"
REPORT = b"POST /v1/identities/default/rejections HTTP/1.1\r\nHost: x\r\n"
ALIVE = b'{"status": "ok"}'
SECONDS = 0.3


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(punctual, "REQUEST_SECONDS", SECONDS)
    monkeypatch.setattr(lane, "SWEEP_SECONDS", SECONDS / 10)


async def stay(
    broker: House, stack: AsyncExitStack, first: bytes = WHOLE
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection that has been served once and stays."""
    reader, writer = await asyncio.open_unix_connection(broker.path)
    stack.callback(writer.close)
    writer.write(first)
    await reader.readuntil(ALIVE)
    return reader, writer


async def a_while(broker: House) -> None:
    """As long as a request may take: another connection, which says nothing, is closed then."""
    assert await broker.raw(b"") == b""


def handlers(broker: House) -> list[Connection]:
    return [guest for guest in broker.desk.crowd._inside if isinstance(guest, Connection)]


def late(answer: bytes) -> None:
    """It says that the request came too late, as a problem of ours, and that it is the last."""
    got = parsed(answer)
    assert (got.status, got.tree["code"]) == (408, "timeout")
    assert answer.startswith(b"HTTP/1.1 ")
    assert got.headers["Content-Type"] == "application/problem+json"
    assert got.headers["Server"] == "kakaocloud-broker"
    assert got.headers["Connection"] == "close"
    assert len(got.body) == int(got.headers["Content-Length"])


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("half", [HEAD, HEAD[:1], REPORT + b"Content-Le"])
async def test_half_a_request_is_told_that_it_came_too_late(tmp_path: Path, half: bytes):
    async with house(tmp_path, "default") as broker:
        late(await broker.raw(half))


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("half", [HEAD, HEAD[:1], REPORT + b"Content-Le"])
async def test_so_is_half_of_a_second_one(tmp_path: Path, half: bytes):
    async with house(tmp_path, "default") as broker, AsyncExitStack() as stack:
        reader, writer = await stay(broker, stack)
        writer.write(half)
        late(await reader.read())


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("before", [1, 3, 40])
async def test_so_is_half_of_one_that_came_behind_whole_ones(tmp_path: Path, before: int):
    """The library holds back what comes behind 32 requests."""
    async with house(tmp_path, "default") as broker, AsyncExitStack() as stack:
        reader, _ = await stay(broker, stack, WHOLE * before + HEAD)
        for _ in range(before - 1):
            await reader.readuntil(ALIVE)
        late(await reader.read())


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize(
    "beginning",
    [
        HEAD + b"X: ",
        REPORT + b"Content-Length: 9999\r\n\r\n",
        REPORT + b"Transfer-Encoding: chunked\r\n\r\n270f\r\n",
    ],
)
async def test_bytes_that_complete_nothing_buy_no_time(tmp_path: Path, beginning: bytes, kept: bool):
    async with house(tmp_path, "default") as broker, AsyncExitStack() as stack:
        reader, writer = await asyncio.open_unix_connection(broker.path)
        stack.callback(writer.close)
        if kept:
            writer.write(WHOLE)
            await reader.readuntil(ALIVE)
        writer.write(beginning)
        began, answer = time.monotonic(), asyncio.ensure_future(reader.read())
        while not answer.done() and time.monotonic() < began + 5:
            writer.write(b"a")
            await asyncio.sleep(0.0001)  # its pace; nothing is waited for
        late(await answer)
        assert time.monotonic() < began + SECONDS + punctual.LINGERING_SECONDS + 1


@pytest.mark.usefixtures("impatient")
async def test_a_body_that_nobody_reads_has_no_more_time(tmp_path: Path):
    async with house(tmp_path, "default") as broker, AsyncExitStack() as stack:
        reader, writer = await asyncio.open_unix_connection(broker.path)
        stack.callback(writer.close)
        writer.write(b"POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n")
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 405 ")
        assert b"408" not in answer


@pytest.mark.usefixtures("impatient")
async def test_who_says_nothing_is_closed_without_a_word(tmp_path: Path):
    async with house(tmp_path, "default") as broker:
        assert await broker.raw(b"") == b""


@pytest.mark.usefixtures("impatient")
async def test_who_pauses_between_two_requests_is_not_hurried(tmp_path: Path):
    async with house(tmp_path, "default") as broker, AsyncExitStack() as stack:
        reader, writer = await stay(broker, stack)
        for _ in range(3):
            await a_while(broker)
            writer.write(WHOLE)
            await reader.readuntil(ALIVE)


@pytest.mark.usefixtures("impatient")
async def test_who_has_asked_is_not_hurried(tmp_path: Path):
    """The time is for the request; its answer may take as long as the caller prefers."""
    async with house(tmp_path, "default") as broker:
        request = broker.ask("/v1/token", prefer="wait=30")
        await until(lambda: broker.clock.waiting)
        await a_while(broker)
        assert not request.done()
        broker.issuers["default"].grant()
        assert (await request).status == 200


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("rest", [b"", b"\r\n" + HEAD])
async def test_while_one_is_answered_the_time_of_the_next_stands_still(tmp_path: Path, rest: bytes):
    async with house(tmp_path, "default") as broker, AsyncExitStack() as stack:
        reader, writer = await asyncio.open_unix_connection(broker.path)
        stack.callback(writer.close)
        writer.write(b"GET /v1/token HTTP/1.1\r\nHost: x\r\nPrefer: wait=30\r\n\r\n" + HEAD)
        await until(lambda: broker.clock.waiting)
        for _ in range(2):
            await a_while(broker)
        broker.issuers["default"].grant("a token")
        await reader.readuntil(b'"a token"')
        if rest:
            writer.write(rest)
            await reader.readuntil(ALIVE)
        told = await reader.read()
        late(told[told.rindex(b"HTTP/1.1 ") :])


BODY = b"POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\n\r\n\r\n\r\n"
CHUNKS = b"POST /livez HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n"
ROW = WHOLE + BODY + CHUNKS + WHOLE


async def test_wherever_a_row_of_requests_is_cut_half_of_one_is_known_for_half(tmp_path: Path):
    """The time of a request begins with its first byte, and ends with its last: also where both come at once."""
    ends = {len(WHOLE), len(WHOLE + BODY), len(WHOLE + BODY + CHUNKS), len(ROW)}
    async with house(tmp_path, "default") as broker, AsyncExitStack() as stack:
        reader, _ = await stay(broker, stack)
        [handler] = handlers(broker)
        for cut in range(1, len(ROW)):
            handler.data_received(ROW[:cut])
            half = cut not in ends
            assert handler._half is half, ROW[:cut]
            assert (handler._patience is not None) is half
            timer = handler._patience
            handler.data_received(ROW[cut:])
            assert timer is None or timer.cancelled()
            assert handler._half is False
            assert handler._patience is None
            for _ in range(2):
                await reader.readuntil(ALIVE)
        assert broker.books.refusals.count("method_not_allowed") == 2 * (len(ROW) - 1)
