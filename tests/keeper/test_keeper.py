"""The keeper flies what the lease decides: one flight, many waiters, and no state that sticks."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from broker.core.errors import Code, Fault, Refusal
from broker.core.lease import Lease, State
from broker.core.model import AccessKey
from tests.core.builders import key
from tests.fakes.clock import FakeClock, settle
from tests.fakes.issuer import FakeIssuer, FakeSource
from tests.keeper.build import keeper, setting


class Bench:
    """A keeper with everything around it in the test's hand."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.issuer = FakeIssuer(self.clock)
        self.source = FakeSource(key("key-1"))
        self.news: list[tuple[Lease, Lease]] = []
        shared = setting(self.clock, lambda old, new, _: self.news.append((old, new)))
        self.keeper = keeper(shared, self.issuer, self.source)

    @property
    def keys(self) -> list[AccessKey]:
        return list(self.keeper.places.wanted(self.keeper.lease.keys))

    def ask(self, wait: float = 1.0) -> "asyncio.Task[str]":
        return asyncio.create_task(self._ask(wait))

    async def _ask(self, wait: float) -> str:
        return (await self.keeper.token(self.clock.now() + wait)).token.value.reveal()

    async def source_read(self) -> None:
        assert self.keeper._looking is not None
        await self.keeper._looking
        await settle()

    async def tick(self, seconds: float = 0.0) -> None:
        await self.clock.advance(seconds)
        self.keeper.observe()
        await settle()


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    bench = Bench()
    yield bench
    await bench.keeper.aclose()


async def test_l3_five_hundred_callers_cost_one_request(bench):
    callers = [bench.ask() for _ in range(500)]
    await settle()
    assert bench.issuer.asked == 1
    bench.issuer.grant("good")
    assert set(await asyncio.gather(*callers)) == {"good"}


async def test_l3_a_caller_that_hangs_up_hurts_nobody(bench):
    callers = [bench.ask() for _ in range(500)]
    await settle()
    callers[0].cancel()
    await settle()
    bench.issuer.grant("good")
    assert set(await asyncio.gather(*callers[1:])) == {"good"}
    assert callers[0].cancelled()
    assert bench.issuer.asked == 1


async def test_l3_each_waiter_has_its_own_deadline(bench):
    hasty, patient = bench.ask(1), bench.ask(10)
    await settle()
    await bench.clock.advance(1)
    with pytest.raises(Refusal) as refused:
        await hasty
    assert refused.value.code is Code.NOT_READY
    bench.issuer.grant("good")
    assert await patient == "good"


async def test_l5_a_due_token_is_served_while_its_successor_is_fetched(bench):
    first = bench.ask()
    await settle()
    bench.issuer.grant("first", life=100)
    await first
    await bench.clock.advance(80)
    assert await bench.ask() == "first"
    await settle()
    assert bench.issuer.asked == 2
    bench.issuer.grant("second", life=100)
    await settle()
    assert await bench.ask() == "second"


async def test_l1_an_expired_token_is_not_served_however_late_the_tick_is(bench):
    first = bench.ask()
    await settle()
    bench.issuer.grant("first", life=100)
    await first
    await bench.clock.advance(99)
    late = bench.ask()
    await settle()
    assert bench.keeper.lease.state is State.ISSUING
    bench.issuer.grant("second")
    assert await late == "second"


async def test_l2_a_good_token_outlives_an_outage(bench):
    first = bench.ask()
    await settle()
    bench.issuer.grant("first", life=1000)
    await first
    for _ in range(990 // 10):
        await bench.tick(10)
        if bench.issuer.calls:
            bench.issuer.fail()
            await settle()
        assert await bench.ask() == "first"


async def test_l11_a_defect_in_a_flight_counts_as_a_fault_and_is_tried_again(bench):
    caller = bench.ask()
    await settle()
    bench.issuer.break_down()
    with pytest.raises(Refusal) as refused:
        await caller
    assert refused.value.code is Code.IAM_UNAVAILABLE
    await bench.tick(60)
    bench.issuer.grant("good")
    await settle()
    assert await bench.ask() == "good"


async def test_l11_an_observer_that_breaks_costs_nothing(bench):
    del bench.news  # telling it raises from now on
    caller = bench.ask()
    await settle()
    bench.issuer.grant("good")
    assert await caller == "good"


async def test_an_answer_slower_than_its_token_lives_is_a_fault(bench):
    caller = bench.ask(wait=100)
    await settle()
    await bench.clock.advance(20)
    bench.issuer.grant("late", life=12)
    await settle()
    assert bench.keeper.lease.trouble is not None
    assert bench.keeper.lease.trouble.fault is Fault.UNAVAILABLE
    caller.cancel()


async def test_a_refusal_comes_at_once_when_waiting_cannot_help(bench):
    caller = bench.ask()
    await settle()
    bench.issuer.fail(Fault.THROTTLED, retry_after=120)
    with pytest.raises(Refusal) as refused:
        await caller
    assert refused.value.code is Code.IAM_THROTTLED
    assert 120 <= (refused.value.retry_after or 0) <= 122
    with pytest.raises(Refusal):
        await bench.ask(wait=30)
    assert bench.issuer.asked == 1


async def test_a_waiter_lives_to_see_the_next_try(bench):
    caller = bench.ask(wait=30)
    await settle()
    bench.issuer.fail()
    await settle()
    await bench.clock.advance(1)
    bench.issuer.grant("good")
    assert await caller == "good"


async def test_l11_a_mended_key_file_is_tried_at_once_after_a_rejection(bench):
    caller = bench.ask()
    await settle()
    bench.issuer.fail(Fault.REJECTED)
    with pytest.raises(Refusal) as refused:
        await caller
    assert refused.value.code is Code.KEY_REJECTED
    bench.source.key = key("key-2")
    bench.keeper.look_at_keys()
    await bench.source_read()
    assert bench.issuer.calls[0][0] == key("key-2")
    bench.issuer.grant("good")
    await settle()
    assert await bench.ask() == "good"


async def test_l11_an_answer_for_a_key_that_is_gone_is_dropped(bench):
    """A new key is under way when its source already holds another."""
    bench.source.key = key("key-2")
    bench.keeper.look_at_keys()
    await bench.source_read()
    assert bench.issuer.calls[0][0] == key("key-2")
    bench.source.key = key("key-3")
    bench.keeper.look_at_keys()
    await bench.source_read()
    bench.issuer.grant("of a key that is gone")
    await settle()
    assert bench.keeper.lease.held is None
    assert bench.issuer.calls[0][0] == key("key-3")
    bench.issuer.grant("of the key of now")
    await settle()
    assert await bench.ask() == "of the key of now"


async def test_an_unreadable_source_leaves_the_key_as_it_was(bench):
    bench.source.key = None
    bench.keeper.look_at_keys()
    await bench.source_read()
    assert bench.keys == [key("key-1")]


async def test_a_defect_in_the_source_leaves_the_key_as_it_was_and_is_looked_at_again(bench, monkeypatch):
    def broken():
        raise ZeroDivisionError

    monkeypatch.setattr(bench.source, "read", broken)
    bench.keeper.look_at_keys()
    await bench.source_read()
    assert bench.keys == [key("key-1")]
    monkeypatch.undo()
    bench.source.key = key("key-2")
    bench.keeper.look_at_keys()
    await bench.source_read()
    assert bench.keys == [key("key-2"), key("key-1")]  # the new one is to be tried first


async def test_l4_a_step_of_the_wall_clock_changes_nothing(bench):
    first = bench.ask()
    await settle()
    bench.issuer.grant("first", life=100)
    await first
    for step in (timedelta(hours=-9), timedelta(days=400)):
        bench.clock.wall_step = step
        assert await bench.ask() == "first"
    assert bench.issuer.asked == 1


async def test_observers_hear_of_every_change_once(bench):
    caller = bench.ask()
    await settle()
    bench.issuer.grant()
    await caller
    assert [(old.state, new.state) for old, new in bench.news] == [
        (State.EMPTY, State.ISSUING),
        (State.ISSUING, State.HELD),
    ]


async def test_closing_ends_the_flight():
    bench = Bench()
    bench.keeper.observe()
    await settle()
    await bench.keeper.aclose()
    assert bench.issuer.calls[0][2].cancelled()
