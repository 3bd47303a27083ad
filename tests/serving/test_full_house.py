"""Connections are bounded in number, and a full house has a place for who has none."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

from broker.core.access import Workload
from broker.serving.row import Rank, User
from tests.serving.house import SOCKET, House, house, parsed, places, until
from tests.serving.test_limits import ALIVE, HEAD, WHOLE, handlers, stay

CLOSE = b"Connection: close\r\n\r\n"


class Queue:
    """A proof by which each connection is of the next uid in the row."""

    def __init__(self, *uids: int) -> None:
        self._uids = list(uids)

    def __call__(self, connection: object) -> Workload:
        assert connection is not None
        return Workload(self._uids.pop(0), 1, 2, SOCKET)


async def told(broker: House, request: bytes = HEAD + CLOSE) -> bytes:
    try:
        return await broker.raw(request)
    except ConnectionError:  # closed before it was read
        return b""


async def test_one_too_many_of_a_user_is_closed_unheard_and_others_are_served(tmp_path: Path):
    async with house(tmp_path, "default", prove=Queue(1, 1, 1, 2, 1), crowd=places(8)) as broker:
        async with AsyncExitStack() as stack:
            for _ in range(2):
                await stay(broker, stack)
            assert await told(broker) == b""
            assert broker.books.refusals == ["too_many_connections"]
            now = broker.clock.now()
            assert broker.books.told == [("too_many_connections", 1, SOCKET, "other", now)]
            assert parsed(await told(broker)).status == 200  # another user
        await until(lambda: not broker.desk.crowd.inside)  # all have left
        assert parsed(await told(broker)).status == 200


async def test_in_a_full_house_a_newcomer_takes_the_place_of_who_is_idle_for_longest(tmp_path: Path):
    async with (
        house(tmp_path, "default", prove=Queue(1, 1, 2, 3, 3), crowd=places(8)) as broker,
        AsyncExitStack() as stack,
    ):
        first, second, third = [await stay(broker, stack) for _ in range(3)]
        first[1].write(WHOLE)  # it is not the oldest any more
        await first[0].readuntil(ALIVE)
        await stay(broker, stack)
        assert broker.books.told == []
        await stay(broker, stack)
        assert await second[0].read() == b""
        assert broker.books.told == [("too_many_connections", 1, SOCKET, "other", broker.clock.now())]
        assert not first[0].at_eof()
        assert not third[0].at_eof()


async def test_who_was_turned_away_is_not_counted_out(tmp_path: Path):
    crowd = places(4)
    queue = Queue(1, 1, 1, 1)
    async with house(tmp_path, "default", prove=queue, crowd=crowd) as broker, AsyncExitStack() as stack:
        await stay(broker, stack)
        for _ in range(3):
            assert await told(broker) == b""
        assert crowd.inside == 1


async def test_who_is_being_answered_is_not_closed_for_a_newcomer_and_then_idle_again(tmp_path: Path):
    async with (
        house(tmp_path, "default", prove=Queue(1, 1, 2, 3, 3), crowd=places(8)) as broker,
        AsyncExitStack() as stack,
    ):
        reader, writer = await asyncio.open_unix_connection(broker.path)
        stack.callback(writer.close)
        writer.write(b"GET /v1/token HTTP/1.1\r\nHost: x\r\nPrefer: wait=30\r\n\r\n")
        await until(lambda: broker.clock.waiting)
        later, _ = await stay(broker, stack)
        for _ in range(3):
            await stay(broker, stack)
        assert await later.read() == b""
        broker.issuers["default"].grant("a token")
        await reader.readuntil(b'"a token"')
        [handler] = [handler for handler in handlers(broker) if handler.caller and handler.caller.uid == 1]
        assert broker.desk.crowd._rows[Rank.READER].longest_idle(User(Rank.READER, 1)) is handler
