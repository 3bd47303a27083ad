"""S3 credentials: one flight for all, kept to the sooner of both ends, a pause after failure, and no hold on a token."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import structlog

from broker.core.budget import Bucket
from broker.core.errors import Code, Fault, IamError, Refusal
from broker.core.s3 import Wish
from broker.keeper.s3_credentials import BURST, EVERY, MOST, RESERVE, S3Credentials
from broker.keeper.s3_held import S3Held
from broker.keeper.s3_line import PATIENCE
from tests.core.builders import key
from tests.fakes.clock import FakeClock, settle
from tests.fakes.exchange import OTHER_REGION, REGION, USUAL, FakeExchange
from tests.fakes.issuer import FakeIssuer, FakeSource
from tests.keeper.build import ON, keeper, setting

MINUTE = 60.0


class Bench:
    """A keeper that holds a token, and the credentials beside it; who is paced, and how, is the test's."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.issuer = FakeIssuer(self.clock)
        self.exchange = FakeExchange(self.clock)
        self.keeper = keeper(setting(self.clock, validation=ON), self.issuer, FakeSource(key()))
        self.s3 = S3Credentials(self.keeper, self.exchange, self.clock, USUAL)
        self.pace = 0.0
        self.paced = 0

    async def issued(self, life: float = 43200.0) -> None:
        self.keeper.observe()
        await settle()
        self.issuer.grant(life=life)
        await settle()

    async def proven(self) -> None:
        """Have a validation succeed: before that, none is evidence of a death (L8)."""
        await self.clock.advance(300)
        self.keeper.observe()
        await settle()
        self.issuer.validated.clear()

    async def ask(self, wait: float = 1.0, wish: Wish = USUAL) -> "asyncio.Task[S3Held]":
        task = asyncio.create_task(self.s3.keys(wish, self.clock.now() + wait, self._pace))
        await settle()
        return task

    async def got(self, wait: float = 1.0, wish: Wish = USUAL) -> str:
        return (await (await self.ask(wait, wish))).keys.access_key_id

    def _pace(self) -> float:
        self.paced += 1
        return self.pace


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    bench = Bench()
    await bench.issued()
    yield bench
    await bench.s3.aclose()
    await bench.keeper.aclose()


async def refused(request: "asyncio.Task[S3Held]") -> Refusal:
    with pytest.raises(Refusal) as caught:
        await request
    return caught.value


async def test_many_callers_share_one_flight(bench: Bench):
    bench.exchange.hold = True
    callers = [await bench.ask() for _ in range(200)]
    assert bench.exchange.asked == [("token-1", USUAL)]
    bench.exchange.answer()
    assert {held.keys.access_key_id for held in await asyncio.gather(*callers)} == {"AKIA1"}
    assert len(bench.exchange.asked) == 1


async def test_a_caller_that_hangs_up_hurts_nobody_and_each_has_its_own_deadline(bench: Bench):
    bench.exchange.hold = True
    leaving, hasty, patient = await bench.ask(), await bench.ask(1), await bench.ask(5)
    leaving.cancel()
    await bench.clock.advance(1)
    refusal = await refused(hasty)
    assert (refusal.code, refusal.retry_after) == (Code.IAM_UNAVAILABLE, 1.0)
    bench.exchange.answer()
    assert (await patient).keys.access_key_id == "AKIA1"
    assert len(bench.exchange.asked) == 1


async def test_they_are_kept_while_an_sdk_would_rest_and_then_made_anew_behind_its_back(bench: Bench):
    assert await bench.got() == "AKIA1"
    await bench.clock.advance(9 * MINUTE)
    assert await bench.got() == "AKIA1"
    assert bench.exchange.given == 1
    # Ten minutes of age: 20 are left, more than at which an SDK asks again.
    await bench.clock.advance(1 * MINUTE)
    assert await bench.got() == "AKIA1"
    assert bench.exchange.given == 2
    assert await bench.got() == "AKIA2"


async def test_who_asks_in_an_sdks_last_minutes_waits_for_others(bench: Bench):
    """An SDK asks 15 minutes before the end, and would ask at each call if it got the old ones."""
    assert await bench.got() == "AKIA1"
    await bench.clock.advance(15 * MINUTE - 1)
    assert await bench.got() == "AKIA2"


@pytest.mark.parametrize("fault", list(Fault))
async def test_good_ones_are_handed_out_whatever_object_storage_does_and_never_after_their_end(
    bench: Bench, fault: Fault
):
    """L2, and L1."""
    bench.issuer.roles = None
    assert await bench.got() == "AKIA1"
    await bench.clock.advance(20 * MINUTE)
    bench.exchange.refusals = [IamError(fault, f"it is {fault}")] * 1000
    assert await bench.got() == "AKIA1"
    await bench.clock.advance(10 * MINUTE - 4)
    assert await bench.got() == "AKIA1"
    await bench.clock.advance(1.1)
    refusal = await refused(await bench.ask())
    assert refusal.detail == f"it is {fault}"


async def test_a_storage_that_hangs_holds_up_who_has_good_ones_for_a_moment_only(bench: Bench):
    assert await bench.got() == "AKIA1"
    await bench.clock.advance(20 * MINUTE)
    bench.exchange.hold = True
    request = await bench.ask(wait=30)
    assert not request.done()
    await bench.clock.advance(PATIENCE)
    assert (await request).keys.access_key_id == "AKIA1"


async def test_they_end_with_the_token_that_they_were_made_with():
    bench = Bench()
    await bench.issued(life=600.0)
    held = await (await bench.ask())
    assert held.life.deadline == bench.keeper.lease.held.span.deadline  # type: ignore[union-attr]
    # Nothing is gained by others that would end with the same token, so object storage is not asked for them.
    await bench.clock.advance(200)
    for _ in range(5):
        assert await bench.got() == "AKIA1"
    assert bench.exchange.given == 1
    await bench.clock.advance(250)
    await bench.issued(life=600.0)
    assert await bench.got() == "AKIA2"
    await bench.s3.aclose()
    await bench.keeper.aclose()


async def test_what_was_made_with_a_token_that_is_found_dead_is_handed_out_no_more(bench: Bench):
    """L1: whoever revoked the token meant what it bought, too."""
    await bench.proven()
    assert await bench.got() == "AKIA1"
    bench.issuer.dead.add("token-1")
    bench.keeper.reported(bench.keeper.lease.held.token.digest)  # type: ignore[union-attr]
    bench.keeper.observe()
    await settle()
    request = await bench.ask(wait=5)
    assert not request.done()
    bench.issuer.grant()
    await settle()
    assert (await request).keys.access_key_id == "AKIA2"
    assert [name for name, _ in bench.exchange.asked] == ["token-1", "token-2"]


async def test_a_token_replaced_in_good_order_leaves_them_be(bench: Bench):
    assert await bench.got() == "AKIA1"
    held = bench.keeper.lease.held
    assert held is not None
    await bench.clock.advance(held.span.due_at - bench.clock.now())
    assert await bench.got() == "AKIA2"
    await bench.issued()
    assert bench.keeper.lease.held.token.value.reveal() == "token-2"  # type: ignore[union-attr]
    assert await bench.got() == "AKIA2"


async def test_other_roles_bring_other_credentials(bench: Bench):
    assert await bench.got() == "AKIA1"
    bench.issuer.roles = frozenset({"r2"})
    bench.keeper.reported(bench.keeper.lease.held.token.digest)  # type: ignore[union-attr]
    bench.keeper.observe()
    await settle()
    bench.issuer.grant(roles=())
    await settle()
    assert await bench.got() == "AKIA2"


async def test_a_refused_token_is_validated_and_what_its_successor_buys_is_handed_out(bench: Bench):
    """Object storage may be the first to learn that a token was revoked."""
    await bench.proven()
    bench.exchange.refused.add("token-1")
    bench.issuer.dead.add("token-1")
    request = await bench.ask(wait=5)
    assert bench.issuer.validated == ["token-1"]
    bench.issuer.grant()
    await settle()
    assert (await request).keys.access_key_id == "AKIA1"
    assert [name for name, _ in bench.exchange.asked] == ["token-1", "token-2"]


async def test_a_good_token_that_is_refused_is_never_replaced_for_that(bench: Bench):
    """Its user may lack a role: a new token would be refused likewise, and each would cost one of IAM's few."""
    bench.exchange.refused.add("token-1")
    for _ in range(20):
        refusal = await refused(await bench.ask(wait=5))
        assert refusal.code is Code.IAM_UNAVAILABLE
        await bench.clock.advance(20)
    assert bench.issuer.asked == 1
    assert bench.keeper.lease.held is not None
    assert bench.keeper.lease.trouble is None


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (IamError(Fault.UNAVAILABLE, "it is away"), Code.IAM_UNAVAILABLE),
        (IamError(Fault.PROTOCOL, "it is odd"), Code.IAM_UNAVAILABLE),
        (IamError(Fault.THROTTLED, "it is throttled"), Code.IAM_THROTTLED),
        (ZeroDivisionError("a defect"), Code.IAM_UNAVAILABLE),
    ],
)
async def test_after_a_failure_it_is_left_alone_for_a_while(bench: Bench, error: Exception, code: Code):
    """A defect pauses too: else each of its waiters would start the next flight at once."""
    bench.exchange.refusals = [error]
    refusal = await refused(await bench.ask(wait=30))
    assert (refusal.code, refusal.retry_after) == (code, 5.0)
    await bench.clock.advance(4)
    assert (await refused(await bench.ask(wait=30))).retry_after == 1.0
    assert len(bench.exchange.asked) == 1
    await bench.clock.advance(1)
    assert await bench.got() == "AKIA1"


async def test_a_wish_to_wait_is_obeyed(bench: Bench):
    bench.exchange.refusals = [IamError(Fault.THROTTLED, "wait", 40.0)]
    assert (await refused(await bench.ask())).retry_after == 40.0


async def test_an_exchange_that_hangs_holds_up_no_token(bench: Bench):
    """L3."""
    bench.exchange.hold = True
    request = await bench.ask(wait=30)
    await bench.clock.advance(40_000)
    await bench.issued()
    assert (await bench.keeper.token(bench.clock.now())).token.value.reveal() == "token-2"
    with pytest.raises(Refusal):
        await request


async def test_without_a_token_they_are_refused_for_the_tokens_reason():
    bench = Bench()
    request = await bench.ask(wait=5)
    bench.issuer.fail(Fault.REJECTED, retry_after=60.0)
    assert (await refused(request)).code is Code.KEY_REJECTED
    assert bench.exchange.asked == []
    await bench.keeper.aclose()


async def test_each_region_and_duration_has_its_own(bench: Bench):
    other = Wish(OTHER_REGION, 1800)
    assert [await bench.got(), await bench.got(wish=other), await bench.got()] == ["AKIA1", "AKIA2", "AKIA1"]
    assert bench.paced == 1, "the usual kind is for everybody, and nobody's share pays for it"


async def test_object_storage_is_asked_within_a_budget_and_what_is_held_is_bounded(bench: Bench):
    wishes = [Wish(REGION, 100 + number) for number in range(BURST - RESERVE)]
    for wish in wishes:
        await bench.got(wish=wish)
    refusal = await refused(await bench.ask(wish=Wish(REGION, 99)))
    assert refusal.code is Code.IAM_THROTTLED
    assert refusal.retry_after == pytest.approx(EVERY)
    for number in range(MOST * 3):
        await bench.clock.advance(EVERY)
        await bench.got(wish=Wish(REGION, 900 + number))
    assert len(bench.s3._lines) == MOST


async def test_who_wishes_for_much_uses_up_its_own_share_and_no_place_of_the_usual(bench: Bench):
    assert await bench.got() == "AKIA1"
    bench.pace = 30.0
    refusal = await refused(await bench.ask(wish=Wish(REGION, 99)))
    assert (refusal.code, refusal.retry_after) == (Code.IAM_THROTTLED, 30.0)
    bench.pace = 0.0
    for number in range(MOST * 2):
        await bench.clock.advance(EVERY)
        await bench.got(wish=Wish(REGION, 900 + number))
    assert bench.exchange.given == 1 + MOST * 2
    assert USUAL in bench.s3._lines


async def test_wishes_of_many_leave_the_usual_kind_its_requests(bench: Bench):
    for number in range(BURST * 2):
        request = await bench.ask(wish=Wish(REGION, 900 + number))
        assert (request.exception() is None) == (number < BURST - RESERVE)
    assert (await bench.got()).startswith("AKIA")


async def test_who_asks_a_broker_that_ends_does_not_wait(bench: Bench):
    bench.exchange.hold = True
    bench.keeper.end(bench.clock.now())
    assert (await refused(await bench.ask(wait=30))).code is Code.IAM_UNAVAILABLE


async def test_a_kind_that_somebody_waits_for_is_not_forgotten(bench: Bench):
    bench.exchange.hold = True
    requests = []
    for number in range(MOST):
        bench.s3._bucket = Bucket.full(BURST, bench.clock.now())  # of which there is less than of places
        requests.append(await bench.ask(wait=5, wish=Wish(REGION, 900 + number)))
    refusal = await refused(await bench.ask(wish=Wish(REGION, 99)))
    assert (refusal.code, "too many kinds" in refusal.detail) == (Code.IAM_THROTTLED, True)
    assert len(bench.s3._lines) == MOST
    for request in requests:
        request.cancel()


async def test_credentials_of_seconds_are_kept_coming(bench: Bench):
    """The budget follows their life, as an emulator's of four seconds."""
    bench.exchange.life = 4.0
    for _ in range(120):
        held = await (await bench.ask())
        assert held.life.usable(bench.clock.now())
        await bench.clock.advance(0.5)
    assert bench.exchange.given <= 62


async def test_a_change_of_the_usual_kind_is_told_once(bench: Bench):
    with structlog.testing.capture_logs() as told:
        bench.exchange.refusals = [IamError(Fault.UNAVAILABLE, "it is away")] * 3
        for _ in range(3):
            await refused(await bench.ask())
            await bench.clock.advance(60)
        bench.exchange.refusals = []
        assert await bench.got() == "AKIA1"
        bench.exchange.refusals = [IamError(Fault.UNAVAILABLE, "it is away")]
        await refused(await bench.ask(wish=Wish(OTHER_REGION, 1800)))
    events = [(line["event"], line.get("fault")) for line in told if line["event"].startswith("s3")]
    assert events == [("s3_failed", "unavailable"), ("s3_resumed", None)]


@pytest.mark.parametrize(
    ("words", "wish"),
    [
        ((None, None), USUAL),
        ((OTHER_REGION, None), Wish(OTHER_REGION, 1800)),
        ((None, 60), Wish(REGION, 60)),
    ],
)
async def test_what_a_callers_words_mean(bench: Bench, words: tuple[str | None, int | None], wish: Wish):
    assert bench.s3.wish(*words) == wish


async def test_a_region_that_is_not_to_be_had_and_a_realm_without_storage_are_told(bench: Bench):
    with pytest.raises(Refusal) as caught:
        bench.s3.wish("elsewhere", None)
    assert caught.value.code is Code.NOT_FOUND
    assert "elsewhere" not in caught.value.detail
    nowhere = S3Credentials(bench.keeper, None, bench.clock, USUAL)
    with pytest.raises(Refusal, match=r"name it as \[s3\] url") as caught:
        nowhere.wish(None, None)
    assert caught.value.code is Code.NOT_FOUND


async def test_closing_ends_the_flight(bench: Bench):
    bench.exchange.hold = True
    request = await bench.ask(wait=30)
    (answer,) = bench.exchange.calls
    closing = asyncio.create_task(bench.s3.aclose())
    request.cancel()
    await closing
    assert answer.cancelled()
