"""A doubt: shared, within the budget, never longer than asked for, and never a reason to take a good token away."""

import asyncio

import pytest

from broker.core.errors import Fault, IamError
from broker.core.reports import Outcome, Reaction
from broker.keeper import doubt
from tests.fakes.clock import settle
from tests.keeper.watched import Watched, digest

TOKEN = "token-1"
PATIENCE = 2.0


class Asking:
    """Whether a client may have IAM asked, and how often it wanted to."""

    def __init__(self, *, may: bool = True) -> None:
        self.may = may
        self.wanted: list[Reaction] = []

    def __call__(self, reaction: Reaction) -> bool:
        self.wanted.append(reaction)
        return self.may


async def proven() -> Watched:
    """A keeper whose first token was validated once; what is validated next waits for the test."""
    watched = Watched()
    await watched.tick()
    await watched.grant()
    await watched.tick(2.0)
    assert watched.issuer.validated == [TOKEN]
    await watched.tick(0.5)
    watched.issuer.hold_checks = True
    return watched


def doubts(
    watched: Watched, may: Asking | None = None, spare: float = 0.0, of: str = TOKEN
) -> "asyncio.Task[None]":
    until = watched.clock.now() + PATIENCE
    return asyncio.create_task(doubt.settle(watched.keeper, digest(of), until, may or Asking(), spare))


async def test_who_joins_pays_nothing():
    watched, first, second = await proven(), Asking(), Asking()
    one = doubts(watched, first)
    await settle()
    two = doubts(watched, second)
    await settle()
    assert (first.wanted, second.wanted) == ([Reaction.VALIDATE], [])
    assert len(watched.issuer.checks) == 1
    watched.issuer.checks.pop()[1].set_exception(IamError(Fault.UNAVAILABLE, "away"))
    await asyncio.gather(one, two)
    assert await watched.served() == TOKEN  # L2


async def test_who_may_not_have_iam_asked_has_its_token_at_once():
    watched = await proven()
    await doubts(watched, Asking(may=False))
    assert watched.issuer.checks == []


async def test_a_doubt_of_another_token_asks_nobody():
    watched, asking = await proven(), Asking()
    await doubts(watched, asking, of="an older one")
    assert (asking.wanted, watched.issuer.checks) == ([], [])


async def test_what_was_heard_since_is_enough():
    """A validation that began for somebody else after the doubt did."""
    watched, asking = await proven(), Asking()
    one = doubts(watched)
    await settle()
    two = doubts(watched, asking)
    await settle()
    watched.issuer.hold_checks = False
    watched.issuer.checks.pop()[1].set_exception(IamError(Fault.PROTOCOL, "what?"))
    await asyncio.gather(one, two)
    assert asking.wanted == []
    assert len(watched.issuer.validated) == 2


async def test_without_a_budget_nobody_waits():
    watched = await proven()
    watched.issuer.hold_checks = False
    for _ in range(10):
        await doubts(watched)
        await watched.clock.advance(0.001)
    used = len(watched.issuer.validated)
    asking = Asking()
    await doubts(watched, asking)
    assert (asking.wanted, len(watched.issuer.validated)) == ([], used)


async def test_so_many_validations_are_left_to_who_has_better_reason():
    watched = await proven()
    watched.issuer.hold_checks = False
    for _ in range(10):
        await doubts(watched, spare=1.0)
        await watched.clock.advance(0.001)
    before = len(watched.issuer.validated)
    await doubts(watched, spare=1.0)
    assert len(watched.issuer.validated) == before
    await doubts(watched)
    assert len(watched.issuer.validated) == before + 1


async def test_where_iam_asks_for_fewer_requests_nobody_asks_and_nobody_waits():
    watched = await proven()
    one = doubts(watched)
    await settle()
    watched.issuer.checks.pop()[1].set_exception(IamError(Fault.THROTTLED, "slowly", 60.0))
    await one
    await watched.clock.advance(1.0)
    asking = Asking()
    await doubts(watched, asking)
    assert (asking.wanted, watched.issuer.checks) == ([], [])


@pytest.mark.parametrize("ends", ["its patience", "the drain", "the identity's end"])
async def test_no_doubt_outlasts(ends: str):
    watched = await proven()
    one = doubts(watched)
    await settle()
    assert not one.done()
    if ends == "its patience":
        await watched.clock.advance(PATIENCE - 0.01)
        assert not one.done()
        await watched.clock.advance(0.01)
    else:
        watched.keeper.end(watched.clock.now() + (0.5 if ends == "the drain" else 0.0))
        await settle()
        assert one.done() == (ends != "the drain")
        await watched.clock.advance(0.5)
    async with asyncio.timeout(5):
        await one
    await watched.keeper.aclose()


async def test_no_report_outlasts_the_drain_either():
    watched = await proven()
    report = watched.report(TOKEN, wait=30.0)
    await settle()
    watched.keeper.end(watched.clock.now() + 0.5)
    await settle()
    assert not report.done()
    await watched.clock.advance(0.5)
    async with asyncio.timeout(5):
        assert await report is Outcome.DEFERRED
    await watched.keeper.aclose()


async def test_a_client_that_leaves_ends_nobody_elses_validation():
    """L3."""
    watched = await proven()
    one = doubts(watched)
    await settle()
    two = doubts(watched)
    await settle()
    one.cancel()
    await asyncio.gather(one, return_exceptions=True)
    watched.issuer.checks.pop()[1].set_exception(IamError(Fault.REJECTED, "dead"))
    await settle()
    await watched.grant(name="token-2")
    await two
    assert await watched.served() == "token-2"


async def test_a_dead_token_is_on_disk_as_such_before_the_doubt_ends():
    """L13."""
    watched = await proven()
    watched.store.gate = gate = asyncio.Event()
    one = doubts(watched)
    await settle()
    watched.issuer.checks.pop()[1].set_exception(IamError(Fault.REJECTED, "dead"))
    await settle()
    assert not one.done()  # the disk is slow
    gate.set()
    await one
    assert watched.store.memory is not None
    assert watched.store.memory.rejected == (digest(TOKEN),)
    await watched.keeper.aclose()


async def test_a_doubt_of_another_token_hurries_nothing():
    """It may have been replaced between the look at it and the word of it."""
    watched = await proven()
    before = watched.keeper.lease
    watched.keeper.doubted(digest("an older one"))
    assert watched.keeper.lease == before
    watched.keeper.doubted(digest(TOKEN))
    assert watched.keeper.lease.watch.due_at <= watched.clock.now()
