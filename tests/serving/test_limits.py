"""Connections are bounded in number, and in the time that they may take to become a request."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from broker.core.access import Workload
from broker.serving import connection
from broker.serving.crowd import Crowd
from tests.serving.house import SOCKET, House, house, parsed, until

HEAD = b"GET /livez HTTP/1.1\r\nHost: x\r\n"
CLOSE = b"Connection: close\r\n\r\n"


class Queue:
    """A proof by which each connection is of the next uid in the row."""

    def __init__(self, *uids: int) -> None:
        self._uids = list(uids)

    def __call__(self, connection: object) -> Workload:
        assert connection is not None
        return Workload(self._uids.pop(0), 1, 2, SOCKET)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "REQUEST_SECONDS", 0.3)


async def stay(broker: House, stack: AsyncExitStack) -> asyncio.StreamReader:
    """A connection that has been served once and stays."""
    reader, writer = await asyncio.open_unix_connection(broker.path)
    stack.callback(writer.close)
    writer.write(HEAD + b"\r\n")
    await reader.readuntil(b'{"status": "ok"}')
    return reader


async def told(broker: House, request: bytes = HEAD + CLOSE) -> bytes:
    try:
        return await broker.raw(request)
    except ConnectionError:  # closed before it was read
        return b""


async def test_one_too_many_of_a_user_is_closed_unheard_and_others_are_served(tmp_path: Path):
    async with house(tmp_path, "default", prove=Queue(1, 1, 1, 2, 1), crowd=Crowd(4)) as broker:
        async with AsyncExitStack() as stack:
            for _ in range(2):
                await stay(broker, stack)
            assert await told(broker) == b""
            assert broker.books.refusals == ["too_many_connections"]
            now = broker.clock.now()
            assert broker.books.told == [("too_many_connections", 1, SOCKET, "other", now)]
            assert parsed(await told(broker)).status == 200  # another user
        await until(lambda: broker.desk.crowd.enter(1))  # the two have left
        broker.desk.crowd.leave(1)
        assert parsed(await told(broker)).status == 200


async def test_who_was_turned_away_is_not_counted_out(tmp_path: Path):
    crowd = Crowd(2)
    queue = Queue(1, 1, 1, 1)
    async with house(tmp_path, "default", prove=queue, crowd=crowd) as broker, AsyncExitStack() as stack:
        await stay(broker, stack)
        for _ in range(3):
            assert await told(broker) == b""
        assert not crowd.enter(1)


@pytest.mark.usefixtures("impatient")
async def test_half_a_request_is_told_that_it_came_too_late(tmp_path: Path):
    async with house(tmp_path, "default") as broker:
        answer = parsed(await broker.raw(HEAD))
        assert (answer.status, answer.tree["code"]) == (408, "timeout")
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.headers["Server"] == "kakaocloud-broker"
        assert answer.headers["Connection"] == "close"
        assert len(answer.body) == int(answer.headers["Content-Length"])


@pytest.mark.usefixtures("impatient")
async def test_who_says_nothing_is_closed_without_a_word(tmp_path: Path):
    async with house(tmp_path, "default") as broker:
        assert await broker.raw(b"") == b""


@pytest.mark.usefixtures("impatient")
async def test_who_has_asked_is_not_hurried(tmp_path: Path):
    """The time is for the request; its answer may take as long as the caller prefers."""
    async with house(tmp_path, "default") as broker:
        request = broker.ask("/v1/token", prefer="wait=30")
        await until(lambda: broker.clock.waiting)
        assert await broker.raw(b"") == b""  # came later, so its time ends later
        assert not request.done()
        broker.issuers["default"].grant()
        assert (await request).status == 200
