"""Who asks again may have been refused somewhere: the token is looked at first, within the budget, and for all at once."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from broker.core.access import Workload
from broker.core.errors import Fault, IamError
from broker.core.reports import WINDOW
from broker.keeper.setting import Validation
from tests.facade.front import CALLER, TOKEN, Front, fault, front
from tests.fakes.issuer import FakeIssuer
from tests.serving.house import Answer, until


def iam(facade: Front) -> FakeIssuer:
    return facade.house.issuers["default"]


def given(answer: Answer) -> str:
    assert answer.status == 201, answer.body
    return answer.headers["x-subject-token"]


async def test_a_first_request_costs_nothing_and_a_second_one_validation(tmp_path: Path):
    async with front(tmp_path, "default") as facade:
        assert given(await facade.login()) == TOKEN
        assert iam(facade).validated == [TOKEN]  # that of the beginning
        assert given(await facade.login()) == TOKEN
        assert iam(facade).validated == [TOKEN] * 2
        assert iam(facade).asked == 1


async def test_another_user_who_was_given_nothing_costs_nothing(tmp_path: Path):
    async with front(tmp_path, "default") as facade:
        await facade.login()
        facade.calls(Workload(uid=4321, gid=None, pid=None, listener="over TCP"))
        await facade.login()
        assert iam(facade).validated == [TOKEN]


async def test_what_was_given_by_our_own_api_counts(tmp_path: Path):
    async with front(tmp_path, "default") as facade:
        answer = await facade.ask("GET", "/v1/token", "Metadata: true")
        assert answer.tree["token"] == TOKEN
        await facade.login()
        assert iam(facade).validated == [TOKEN] * 2


@pytest.mark.parametrize("hours", [0, 5])
@pytest.mark.parametrize("by_token", [False, True])
async def test_a_revoked_token_is_never_given_back(tmp_path: Path, hours: int, by_token: bool):
    async with front(tmp_path, "default", validation=Validation(every=3600.0 * 24)) as facade:
        await facade.login()
        await facade.house.clock.advance(hours * 3600.0)
        iam(facade).dead.add(TOKEN)
        again = asyncio.create_task(facade.with_token(TOKEN) if by_token else facade.login())
        await until(lambda: iam(facade).calls)
        iam(facade).grant("the new one")
        assert given(await again) == "the new one"
        memory = facade.house.stores["default"].memory
        assert memory is not None  # a rejection is on disk before it is answered (L13)
        assert memory.rejected == facade.house.keyring["default"].lease.rejected != ()
        # The dead one still names who has it, though it is good for nothing else.
        assert given(await facade.with_token(TOKEN)) == "the new one"
        look = await facade.ask(
            "GET", "/v3/auth/tokens", f"X-Auth-Token: {TOKEN}", f"X-Subject-Token: {TOKEN}"
        )
        assert fault(look) == (401, "Unauthorized")


async def test_a_hundred_at_once_share_a_validation_that_begins_after_them(tmp_path: Path):
    async with front(tmp_path, "default") as facade:
        await facade.login()
        issuer = iam(facade)
        issuer.hold_checks, before = True, len(issuer.validated)
        crowd = [asyncio.create_task(facade.login()) for _ in range(100)]
        await until(lambda: len(issuer.checks) == 1)
        late = asyncio.create_task(facade.login())  # the one under way began before it
        await facade.house.clock.advance(0.1)
        issuer.hold_checks = False
        issuer.checks.pop(0)[1].set_exception(IamError(Fault.REJECTED, "it is dead"))
        await until(lambda: issuer.calls)
        issuer.grant("the new one")
        assert {given(answer) for answer in await asyncio.gather(*crowd, late)} == {"the new one"}
        assert len(issuer.validated) - before <= 2
        assert issuer.asked == 2


async def test_a_validation_that_left_before_the_request_is_no_evidence(tmp_path: Path):
    async with front(tmp_path, "default") as facade:
        await facade.login()
        issuer, keeper = iam(facade), facade.house.keyring["default"]
        issuer.hold_checks = True
        first = asyncio.create_task(facade.login())
        await until(lambda: issuer.checks)
        await facade.house.clock.advance(0.1)
        second = asyncio.create_task(facade.login())
        await until(lambda: keeper.lease.watch.due_at <= facade.house.clock.now())
        answer = issuer.checks.pop(0)[1]
        answer.set_result(await FakeIssuer(facade.house.clock).validate(keeper.lease.held.token))  # type: ignore[union-attr]
        assert given(await first) == TOKEN
        await until(lambda: issuer.checks)  # another one leaves for the second
        assert not second.done()
        issuer.checks.pop(0)[1].set_exception(IamError(Fault.REJECTED, "it is dead"))
        await until(lambda: issuer.calls)
        issuer.grant("the new one")
        assert given(await second) == "the new one"


@pytest.mark.parametrize("trouble", [Fault.UNAVAILABLE, Fault.THROTTLED, Fault.PROTOCOL])
async def test_where_iam_cannot_say_the_token_is_good(tmp_path: Path, trouble: Fault):
    """L2."""
    async with front(tmp_path, "default") as facade:
        await facade.login()
        iam(facade).verdict = IamError(trouble, "trouble")
        assert given(await facade.login()) == TOKEN


async def test_iam_is_waited_for_two_seconds(tmp_path: Path):
    async with front(tmp_path, "default") as facade:
        await facade.login()
        iam(facade).hold_checks = True
        again = asyncio.create_task(facade.login())
        await until(lambda: iam(facade).checks)
        await facade.house.clock.advance(1.9)
        assert not again.done()
        await facade.house.clock.advance(0.2)
        assert given(await again) == TOKEN


async def test_a_client_in_a_loop_stays_within_the_budget(tmp_path: Path):
    async with front(tmp_path, "default") as facade:
        for _ in range(60):
            await facade.house.clock.advance(0.01)
            assert given(await facade.login()) == TOKEN
        assert len(iam(facade).validated) <= 5  # the burst
        assert iam(facade).asked == 1


async def test_a_user_of_many_requests_leaves_validations_to_others(tmp_path: Path):
    """The pace of one user is less than what the identity has."""
    async with front(tmp_path, "default", validation=Validation(every=3600.0)) as facade:
        begun = len(iam(facade).validated)
        for _ in range(300):
            asking = asyncio.create_task(facade.login())
            await until(lambda: facade.house.clock.waiting or asking.done())  # noqa: B023
            await facade.house.clock.advance(2.0)
            await asking
        assert len(iam(facade).validated) - begun <= 10 + 600 / 30 + 1


async def test_where_lives_cannot_be_checked_another_token_helps_ever_more_rarely(tmp_path: Path):
    """A key with access rules: its tokens can be revoked too, and nobody could tell."""
    async with front(tmp_path, "default", validation=Validation(methods=())) as facade:
        await facade.login()
        again = asyncio.create_task(facade.login())
        await until(lambda: iam(facade).calls)
        iam(facade).grant("the second one")
        assert given(await again) == "the second one"
        assert given(await facade.login()) == "the second one"  # within the same window
        assert iam(facade).asked == 2
        await facade.house.clock.advance(WINDOW * 3)
        third = asyncio.create_task(facade.login())
        await until(lambda: iam(facade).calls)
        iam(facade).grant("the third one")
        assert given(await third) == "the third one"


async def test_after_a_restart_anybody_may_have_the_token(tmp_path: Path):
    async with front(tmp_path, "default") as facade:
        member = facade.house.desk.members["default"]
        held = member.keeper.lease.held
        assert held is not None
        digest = held.token.digest
        assert not member.ledger.given(digest, CALLER.uid)
        kept = member.keeper.lease
        # What survived comes without a flight.
        member.ledger.lease_changed(replace(kept, held=None), kept, facade.house.clock.now())
        assert member.ledger.given(digest, CALLER.uid)
