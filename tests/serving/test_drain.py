"""The end of serving: readiness goes at once, what is in flight is finished, within a bound."""

import asyncio
from pathlib import Path

import pytest

from broker.serving.drain import Drain
from tests.fakes.clock import settle
from tests.serving.house import house, until


async def test_nothing_in_flight_is_over_at_once():
    drain = Drain()
    assert await drain.finish(0)
    assert drain.begun


async def test_finish_waits_for_the_last_one_in_flight():
    drain = Drain()
    with drain.request():
        with drain.request():
            ending = asyncio.create_task(drain.finish(60))
            await settle()
            assert drain.begun
        await settle()
        assert not ending.done()
    assert await ending


async def test_finish_is_bounded():
    drain = Drain()
    with drain.request():
        assert not await drain.finish(0.01)
    assert await drain.finish(0.01)


async def test_a_request_that_fails_is_over_too():
    drain = Drain()
    with pytest.raises(ZeroDivisionError), drain.request():
        raise ZeroDivisionError
    assert await drain.finish(0)


async def test_while_draining_readiness_is_off_and_requests_are_served_to_their_end(tmp_path: Path):
    async with house(tmp_path, "default") as broker:
        waiter = broker.ask("/v1/token", prefer="wait=30")
        await until(lambda: broker.clock.waiting == 1)
        ending = asyncio.create_task(broker.drain.finish(60))
        await settle()
        assert (await broker.get("/readyz")).status == 503
        late = broker.ask("/v1/token", prefer="wait=30")
        await until(lambda: broker.clock.waiting == 2)
        assert not ending.done()
        broker.issuers["default"].grant("served")
        assert [(await request).tree["token"] for request in (waiter, late)] == ["served", "served"]
        assert await ending
