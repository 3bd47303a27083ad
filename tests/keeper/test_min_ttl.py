"""A caller who asks for more life has the refresh come early: once for all of them, within budget, and never for nothing."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from broker.core.errors import Code, Fault, Refusal
from broker.core.model import Held
from tests.core.builders import key
from tests.fakes.clock import FakeClock, settle
from tests.fakes.issuer import FakeIssuer, FakeSource
from tests.keeper.build import keeper, setting

LIFE = 1000.0
HALF = LIFE / 2


class Bench:
    """A keeper whose token lives a thousand seconds."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.issuer = FakeIssuer(self.clock)
        self.keeper = keeper(setting(self.clock), self.issuer, FakeSource(key()))

    async def granted(self, life: float = LIFE) -> None:
        self.keeper.observe()
        await settle()
        self.issuer.grant(life=life)
        await settle()

    async def ask(self, min_ttl: float, wait: float = 1.0) -> "asyncio.Task[Held]":
        task = asyncio.create_task(self.keeper.token(self.clock.now() + wait, min_ttl))
        await settle()
        return task


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    bench = Bench()
    await bench.granted()
    yield bench
    await bench.keeper.aclose()


async def refused(request: "asyncio.Task[Held]") -> Refusal:
    with pytest.raises(Refusal) as caught:
        await request
    return caught.value


async def named(request: "asyncio.Task[Held]") -> str:
    return (await request).token.value.reveal()


async def test_while_there_is_life_enough_nothing_is_asked(bench):
    await bench.clock.advance(499)  # its last second but 500 is kept back
    assert await named(await bench.ask(HALF)) == "token-1"
    assert bench.issuer.asked == 1


async def test_the_first_who_asks_for_more_starts_the_one_refresh(bench):
    await bench.clock.advance(499.1)
    requests = [await bench.ask(HALF) for _ in range(100)]
    assert bench.issuer.asked == 2
    bench.issuer.grant(life=LIFE)
    assert {await named(request) for request in requests} == {"token-2"}
    assert bench.issuer.asked == 2


async def test_others_are_served_the_token_at_hand_meanwhile(bench):
    await bench.clock.advance(499.1)
    waiter = await bench.ask(HALF, wait=30)
    assert await named(await bench.ask(0)) == "token-1"
    assert await named(await bench.ask(100)) == "token-1"
    assert not waiter.done()
    bench.issuer.grant()
    await waiter


async def test_the_tick_starts_no_early_refresh_by_itself(bench):
    await bench.clock.advance(499.1)
    bench.keeper.observe()
    assert bench.issuer.asked == 1


async def test_each_waits_within_its_own_time(bench):
    await bench.clock.advance(499.1)
    hasty, patient = await bench.ask(HALF, wait=1), await bench.ask(HALF, wait=9)
    await bench.clock.advance(1)
    refusal = await refused(hasty)
    assert (refusal.code, bool(refusal.retry_after)) == (Code.MIN_TTL_UNAVAILABLE, True)
    bench.issuer.grant(life=LIFE)
    assert await named(patient) == "token-2"


async def test_more_than_half_a_life_is_refused_at_once_and_starts_nothing(bench):
    await bench.clock.advance(499.1)
    for asked in (HALF + 1, LIFE, 10 * LIFE):
        refusal = await refused(await bench.ask(asked, wait=30))
        assert (refusal.code, refusal.retry_after) == (Code.MIN_TTL_UNAVAILABLE, None)
        assert "at most 500" in refusal.detail
    assert bench.issuer.asked == 1


@pytest.mark.parametrize("fault", Fault)
async def test_a_refresh_that_fails_tells_why_and_is_not_repeated_by_who_asks(bench, fault: Fault):
    await bench.clock.advance(499.1)
    request = await bench.ask(HALF, wait=5)
    bench.issuer.fail(fault, retry_after=60.0)
    refusal = await refused(request)
    assert refusal.code is Code.MIN_TTL_UNAVAILABLE
    assert refusal.detail.endswith(f"it is {fault}")
    assert (refusal.retry_after or 0) >= 60
    for _ in range(50):
        await refused(await bench.ask(HALF, wait=5))
    assert bench.issuer.asked == 2
    assert await named(await bench.ask(0)) == "token-1"  # L2


async def test_the_next_try_within_the_wait_is_lived_to_see(bench):
    await bench.clock.advance(499.1)
    request = await bench.ask(HALF, wait=30)
    bench.issuer.fail()
    await settle()
    await bench.clock.advance(2)
    bench.issuer.grant(life=LIFE)
    assert await named(request) == "token-2"


async def test_l6_one_who_asks_all_the_time_stays_within_the_budget(bench):
    """IAM gives shorter lives than are asked for: each new token is too short at once."""
    await bench.clock.advance(499.1)
    for _ in range(600):
        request = await bench.ask(HALF, wait=0.5)
        if bench.issuer.calls:
            bench.issuer.grant(life=900.0)
        await settle()
        if request.done():
            request.exception()
        else:
            await bench.clock.advance(0.5)
            await refused(request)
        await bench.clock.advance(0.5)
    assert bench.issuer.asked <= 2 + 5 + 600 / 30


async def test_the_life_asked_for_counts_for_the_first_token_too():
    bench = Bench()
    request = await bench.ask(HALF, wait=5)
    bench.issuer.grant(life=LIFE)
    assert await named(request) == "token-1"
    short = Bench()
    request = await short.ask(HALF, wait=5)
    short.issuer.grant(life=400.0)
    assert (await refused(request)).code is Code.MIN_TTL_UNAVAILABLE
    for each in (bench, short):
        assert each.issuer.asked == 1
        await each.keeper.aclose()
