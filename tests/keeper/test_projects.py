"""The list of projects: one flight for all, a minute of rest after success, a pause after failure, no hold on a token."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from broker.core.errors import Code, Fault, Refusal
from broker.core.model import Row
from broker.keeper.projects import FRESH_SECONDS, PAUSE_SECONDS, Projects
from tests.core.builders import key
from tests.fakes.clock import FakeClock, settle
from tests.fakes.issuer import FakeIssuer, FakeSource
from tests.keeper.build import keeper, setting

ROWS: tuple[Row, ...] = ({"id": "p1", "name": "shop"}, {"id": "p2", "name": "lab"})


class Bench:
    """A keeper that holds a token, and the list beside it, which the test answers."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.issuer = FakeIssuer(self.clock)
        self.issuer.hold_lists = True
        shared = setting(self.clock)
        self.keeper = keeper(shared, self.issuer, FakeSource(key()))
        self.projects = Projects(self.keeper, self.issuer, self.clock)

    async def issued(self, life: float = 43200.0) -> None:
        self.keeper.observe()
        await settle()
        self.issuer.grant(life=life)
        await settle()

    async def ask(self, wait: float = 1.0) -> "asyncio.Task[tuple[Row, ...]]":
        task = asyncio.create_task(self.projects.rows(self.clock.now() + wait))
        await settle()
        return task


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    bench = Bench()
    await bench.issued()
    yield bench
    await bench.projects.aclose()
    await bench.keeper.aclose()


async def refused(request: "asyncio.Task[tuple[Row, ...]]") -> Refusal:
    with pytest.raises(Refusal) as caught:
        await request
    return caught.value


async def test_many_callers_share_one_flight_and_then_its_rows_for_a_minute(bench):
    callers = [await bench.ask() for _ in range(200)]
    assert bench.issuer.listed == 1
    bench.issuer.list_out(*ROWS)
    assert await asyncio.gather(*callers) == [ROWS] * 200
    await bench.clock.advance(FRESH_SECONDS - 0.1)
    assert await (await bench.ask()) == ROWS
    assert bench.issuer.listed == 1
    await bench.clock.advance(0.1)
    again = await bench.ask()
    assert bench.issuer.listed == 2
    bench.issuer.list_out()
    assert await again == ()


async def test_a_caller_that_hangs_up_hurts_nobody(bench):
    first, second = await bench.ask(), await bench.ask()
    first.cancel()
    await settle()
    bench.issuer.list_out(*ROWS)
    assert await second == ROWS


async def test_each_caller_has_its_own_deadline_and_the_flight_outlives_it(bench):
    hasty, patient = await bench.ask(1), await bench.ask(5)
    await bench.clock.advance(1)
    refusal = await refused(hasty)
    assert (refusal.code, refusal.detail) == (Code.IAM_UNAVAILABLE, "IAM has not answered yet; ask again")
    bench.issuer.list_out(*ROWS)
    assert await patient == ROWS
    assert await (await bench.ask(0)) == ROWS
    assert bench.issuer.listed == 1


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault.UNAVAILABLE, Code.IAM_UNAVAILABLE),
        (Fault.PROTOCOL, Code.IAM_UNAVAILABLE),
        (Fault.THROTTLED, Code.IAM_THROTTLED),
        (Fault.REJECTED, Code.IAM_UNAVAILABLE),  # access rules may forbid the list to a key that is good
    ],
)
async def test_a_failure_says_why_and_iam_is_left_alone_for_a_while(bench, fault: Fault, code: Code):
    request = await bench.ask()
    bench.issuer.fail_list(fault)
    refusal = await refused(request)
    assert (refusal.code, refusal.detail, refusal.retry_after) == (code, f"it is {fault}", PAUSE_SECONDS)
    await bench.clock.advance(PAUSE_SECONDS - 1)
    refusal = await refused(await bench.ask(wait=30))
    assert (refusal.code, refusal.retry_after) == (code, 1.0)
    assert bench.issuer.listed == 1
    await bench.clock.advance(1)
    again = await bench.ask()
    bench.issuer.list_out(*ROWS)
    assert await again == ROWS


async def test_a_failure_to_list_is_no_trouble_of_the_lease(bench):
    request = await bench.ask()
    bench.issuer.fail_list(Fault.REJECTED)
    await refused(request)
    assert bench.keeper.lease.trouble is None
    assert bench.keeper.lease.held is not None


async def test_a_defect_pauses_like_any_failure(bench):
    """Else each of its waiters would start the next flight at once."""
    request = await bench.ask(wait=30)
    bench.issuer.lists.pop(0).set_exception(ZeroDivisionError("a defect"))
    refusal = await refused(request)
    assert (refusal.code, refusal.retry_after) == (Code.IAM_UNAVAILABLE, PAUSE_SECONDS)
    assert bench.issuer.listed == 1


async def test_a_list_that_hangs_holds_up_no_token(bench):
    request = await bench.ask(wait=30)
    await bench.clock.advance(40000)
    held = await bench.keeper.token(bench.clock.now())
    await settle()
    assert held.token.value.reveal() == "token-1"
    bench.issuer.grant()
    await settle()
    assert (await bench.keeper.token(bench.clock.now())).token.value.reveal() == "token-2"
    await refused(request)


async def test_without_a_token_the_list_is_refused_for_the_tokens_reason():
    bench = Bench()
    request = await bench.ask(wait=5)
    bench.issuer.fail(Fault.REJECTED, retry_after=60.0)
    assert (await refused(request)).code is Code.KEY_REJECTED
    assert bench.issuer.listed == 0
    await bench.keeper.aclose()


async def test_closing_ends_the_flight(bench):
    request = await bench.ask(wait=30)
    answer = bench.issuer.lists[0]
    closing = asyncio.create_task(bench.projects.aclose())
    request.cancel()
    await closing
    assert answer.cancelled()
