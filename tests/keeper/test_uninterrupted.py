"""What happens in a year and what a workload sees of it: deaths, roles, reports, two keys, restarts, sleep."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from broker.core.degraded import Reason
from broker.core.errors import Fault, IamError, Refusal
from broker.core.lease import servable
from broker.core.model import KeyFacts, Named
from broker.core.reports import Outcome
from broker.keeper import tending
from broker.keeper.places import KeyPlace
from tests.core.builders import key
from tests.fakes.clock import settle
from tests.keeper.watched import Watched

Make = Callable[..., Watched]


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    made: list[Watched] = []

    def one(*refs: str, **more: object) -> Watched:
        made.append(Watched(*refs, **more))  # type: ignore[arg-type]
        return made[-1]

    yield one
    for each in made:
        if each.store.gate is not None:
            each.store.gate.set()
        await each.keeper.aclose()


async def started(watched: Watched) -> None:
    watched.keeper.observe()
    await watched.grant()
    await watched.run(3)  # until there is evidence
    assert watched.issuer.validated


async def test_l8_a_revoked_token_is_replaced_within_one_interval(make):
    watched = make()
    await started(watched)
    watched.issuer.dead.add("token-1")
    await watched.run(301)
    assert await watched.served() == "token-2"


async def test_l8_the_heir_of_a_dead_token_is_looked_at_soon(make):
    """Keystone may have killed it with the same stroke."""
    watched = make()
    await started(watched)
    watched.issuer.dead |= {"token-1", "token-2"}
    await watched.run(301 + 5)
    assert await watched.served() == "token-3"


async def test_l7_a_rejected_key_has_the_token_looked_at_at_once(make):
    watched = make()
    await started(watched)
    seen = len(watched.issuer.validated)
    watched.rejects.add("key-1")
    await watched.clock.advance(40_000)
    watched.keeper.observe()
    watched.issuer.validated.clear()
    await watched.grant()
    assert seen
    assert watched.issuer.validated
    assert await watched.served() == "token-1"  # L2: it lives


async def test_after_a_sleep_the_token_is_looked_at_at_once(make):
    watched = make()
    await started(watched)
    watched.issuer.dead.add("token-1")
    await watched.clock.sleep_through(3600)
    watched.keeper.woke()
    await watched.grant()
    assert await watched.served() == "token-2"


async def test_fewer_roles_bring_a_new_token_and_a_reason(make):
    watched = make()
    watched.keeper.observe()
    await watched.grant(roles=(Named("r1", "member"), Named("r2", "reader")))
    await watched.run(3)
    watched.issuer.roles = frozenset({"r1"})
    await watched.run(301)
    assert await watched.served() == "token-2"
    assert Reason.ROLES_REDUCED in tending.reasons(watched.keeper)
    await watched.run(900)
    assert watched.issuer.landed == 2, "once"


async def test_a_key_with_access_rules_is_not_validated_and_says_so(make):
    watched = make()
    watched.keeper.observe()
    await watched.grant(access_rules=True)
    await watched.run(400)
    assert watched.issuer.validated == []
    assert tending.reasons(watched.keeper) == (Reason.VALIDATION_OFF,)
    assert await watched.served() == "token-1"


async def test_an_unproven_refusal_steps_down_and_costs_no_token(make):
    watched = make()
    watched.issuer.verdict = IamError(Fault.REJECTED, "no")
    watched.keeper.observe()
    await watched.grant()
    await watched.run(400)
    assert watched.issuer.listed >= 2, "by the project list"
    assert await watched.served() == "token-1"


async def test_l8_a_method_that_refuses_every_new_token_is_not_believed(make):
    """IAM's rules have changed: what was evidence is none any more, and must not cost one token after the other."""
    watched = make()
    await started(watched)
    watched.issuer.verdict = IamError(Fault.REJECTED, "no")
    await watched.run(900)
    assert watched.issuer.landed == 4
    assert watched.issuer.listed, "by the project list"
    assert await watched.served() == "token-4"


async def test_l9_a_hundred_reports_of_a_dead_token_cost_one_look_and_one_token(make):
    watched = make()
    await started(watched)
    watched.issuer.dead.add("token-1")
    watched.issuer.validated.clear()
    reports = [watched.report("token-1") for _ in range(100)]
    await settle()
    await watched.grant()
    assert set(await asyncio.gather(*reports)) == {Outcome.REPLACED}
    assert watched.issuer.validated == ["token-1"]
    assert watched.issuer.landed == 2
    assert await watched.report("token-1") is Outcome.SUPERSEDED


async def test_l9_a_second_report_of_a_valid_token_forces_a_new_one(make):
    watched = make()
    await started(watched)
    assert await watched.report("token-1") is Outcome.STILL_VALID
    again = watched.report("token-1")
    await watched.grant()
    assert await again is Outcome.REPLACED
    assert await watched.report("token-2", wait=0) is Outcome.DEFERRED


async def test_l9_garbage_and_old_tokens_cost_nothing(make):
    watched = make()
    await started(watched)
    asked = watched.issuer.asked, len(watched.issuer.validated)
    for value in ("garbage", "token-0"):
        assert await watched.report(value) is Outcome.SUPERSEDED
    assert (watched.issuer.asked, len(watched.issuer.validated)) == asked


async def test_l9_a_report_while_iam_is_down_is_deferred_in_time(make):
    watched = make()
    await started(watched)
    watched.issuer.hold_checks = True
    report = watched.report("token-1", wait=2)
    await settle()
    await watched.clock.advance(2)
    assert await report is Outcome.DEFERRED
    assert await watched.served() == "token-1"


async def test_l9_a_client_that_reports_every_second_is_bounded(make):
    watched = make()
    await started(watched)
    asked = watched.issuer.asked
    for _ in range(600):
        await watched.tick(1)
        report = watched.report(await watched.served(), wait=0.5)
        await watched.grant()
        await watched.clock.advance(0.5)
        await report
    assert watched.issuer.asked - asked <= 8
    assert len(watched.issuer.validated) <= 5 + 900 / 10


async def test_l13_a_rejection_is_kept_before_it_is_answered(make):
    watched = make()
    await started(watched)
    watched.issuer.dead.add("token-1")
    report = watched.report("token-1", wait=0.5)
    await settle()
    await watched.clock.advance(0.5)
    assert await report is Outcome.DEFERRED  # IAM has not brought the next one
    assert watched.store.memory is not None
    assert watched.store.memory.reply is None


async def test_l13_after_a_restart_the_token_is_served_at_once_and_looked_at(make):
    watched = make()
    await started(watched)
    watched.issuer.hold_checks = True
    await watched.restart()
    assert await watched.served() == "token-1"
    await watched.tick()
    assert [token.value.reveal() for token, _ in watched.issuer.checks] == ["token-1"]
    assert watched.issuer.asked == 1


async def test_l13_a_token_found_dead_is_not_served_after_a_restart(make):
    watched = make()
    await started(watched)
    watched.issuer.dead.add("token-1")
    watched.keeper.woke()
    await settle()  # found dead; the next one has not come
    await watched.restart()
    assert servable(watched.keeper.lease, watched.clock.now()) is None


async def test_l6_the_budget_is_kept_before_the_request_leaves(make):
    watched = make()
    watched.keeper.observe()
    await settle()
    assert watched.issuer.calls
    assert watched.store.left is not None
    assert watched.store.left.issues.level < 4.5


async def test_l6_fifty_restarts_in_two_minutes_stay_within_the_budget(make):
    watched = make()
    watched.rejects.add("key-1")
    for _ in range(50):
        await watched.tick(2.4)
        await watched.grant()
        await watched.restart()
        watched.keeper.observe()
        await watched.grant()
    assert watched.issuer.asked <= 5 + 120 / 30 + 1


async def test_an_unwritable_store_is_said_and_costs_no_token(make):
    watched = make()
    watched.store.broken = "the disk is full"
    await started(watched)
    assert tending.reasons(watched.keeper) == (Reason.CACHE_UNWRITABLE,)
    assert await watched.served() == "token-1"
    watched.store.broken = None
    await watched.run(61)
    assert tending.reasons(watched.keeper) == ()
    assert watched.store.memory is not None


async def test_l10_the_standby_issues_within_the_same_call(make):
    watched = make("key-1", "key-2")
    watched.rejects.add("key-1")
    caller = asyncio.create_task(watched.keeper.token(watched.clock.now() + 1))
    await watched.grant()
    assert (await caller).token.value.reveal() == "token-1"
    assert tending.reasons(watched.keeper) == (Reason.STANDBY_KEY_IN_USE,)
    watched.rejects.clear()
    await watched.run(301)
    assert tending.reasons(watched.keeper) == ()


async def test_l10_a_deleted_primary_costs_until_the_next_look(make):
    """Its tokens die with it."""
    watched = make("key-1", "key-2")
    await started(watched)
    watched.rejects.add("key-1")
    watched.issuer.dead.add("token-1")
    report = watched.report("token-1")
    await settle()
    await watched.grant()
    assert await report is Outcome.REPLACED
    assert Reason.STANDBY_KEY_IN_USE in tending.reasons(watched.keeper)


async def test_l10_a_new_key_is_tried_first_and_a_bad_one_costs_nothing(make):
    watched = make()
    await started(watched)
    watched.rejects.add("key-2")
    watched.sources[0].key = key("key-2")
    await watched.look()
    await watched.grant()
    assert await watched.served() == "token-1"
    assert tending.reasons(watched.keeper) == (Reason.NEW_KEY_REJECTED,)
    watched.sources[0].key = key("key-3")
    await watched.look()
    await watched.grant()
    assert await watched.served() == "token-2"
    assert tending.reasons(watched.keeper) == ()
    assert watched.store.opens_with == ("key-3",)


async def test_a_source_that_vanishes_for_a_moment_changes_nothing(make):
    watched = make()
    await started(watched)
    watched.sources[0].key = None
    await watched.look()
    watched.sources[0].key = key("key-1")
    await watched.look()
    await watched.grant()
    assert watched.issuer.asked == 1


async def test_a_key_missing_at_start_is_taken_up_when_it_comes(make):
    watched = make("key-1", "key-2")
    watched.sources[0].key = None
    await watched.restart()
    watched.keeper.observe()
    await watched.grant()
    assert Reason.STANDBY_KEY_IN_USE in tending.reasons(watched.keeper)
    watched.sources[0].key = key("key-1")
    await watched.look()
    await watched.grant()
    assert tending.reasons(watched.keeper) == ()


@pytest.mark.parametrize(("days", "said"), [(31, False), (29, True), (0.5, True)])
async def test_a_key_that_ends_soon_is_named(make, days: float, said):
    watched = make()
    end = watched.clock.wall() + timedelta(days=days)
    watched.issuer.facts = KeyFacts(end.strftime("%Y-%m-%dT%H:%M:%S.000000"), None, access_rules=False)
    watched.keeper.observe()
    await watched.grant(key_id="k1", restricted=False)
    await watched.run(5)
    assert (Reason.KEY_EXPIRES_SOON in tending.reasons(watched.keeper)) is said
    (record,) = watched.keeper.lease.keys
    assert tending.key_end(watched.keeper, record) == end.replace(microsecond=0)
    assert tending.key_risks(watched.keeper, record) == ("unrestricted", "no_access_rules")


async def test_a_clock_that_is_off_is_said(make):
    watched = make()
    await started(watched)
    watched.keeper.skew = timedelta(seconds=-31)
    assert tending.reasons(watched.keeper) == (Reason.CLOCK_SKEW,)


async def test_a_clock_that_is_off_is_told_once(make):
    watched = make()
    await started(watched)
    with capture_logs() as told:
        for minutes in (5, 5, 0, 5):
            watched.keeper.skew = timedelta(minutes=minutes)
            await watched.tick(1)
    assert [line["seconds"] for line in told if line["event"] == "clock_skew"] == [300, 300]


async def test_l10_after_a_restart_a_foreign_key_moves_the_identity_as_it_was_told(make):
    watched = make()
    await started(watched)
    watched.sources[0].key = key("key-2")
    await watched.look()
    await watched.grant(project=Named("p2", "another"))
    assert tending.reasons(watched.keeper) == (Reason.KEY_PROJECT_MISMATCH,)
    assert watched.store.opens_with == ("key-1",)
    await watched.restart()
    watched.keeper.observe()
    await watched.grant(project=Named("p2", "another"))
    held = await watched.keeper.token(watched.clock.now())
    assert held.token.project.id == "p2"
    assert tending.reasons(watched.keeper) == ()


async def test_a_closed_keeper_begins_nothing(make):
    watched = make()
    caller = asyncio.create_task(watched.keeper.token(watched.clock.now() + 30))
    await settle()
    watched.keeper.end(watched.clock.now())
    await watched.keeper.aclose()
    with pytest.raises(Refusal):
        await caller
    watched.keeper.observe()
    watched.keeper.look_at_keys()
    await settle()
    assert watched.issuer.asked == 1


async def test_a_hung_disk_costs_a_caller_no_more_than_a_moment(make):
    watched = make()

    async def hangs(_: object) -> None:
        await asyncio.get_running_loop().create_future()

    watched.store.keep_budgets = hangs
    caller = asyncio.create_task(watched.keeper.token(watched.clock.now() + 1))
    await settle()
    await watched.clock.advance(0.26)
    await watched.grant()
    assert (await caller).token.value.reveal() == "token-1"


async def test_a_place_that_a_reload_takes_away_during_a_look_is_gone(make):
    watched = make("key-1", "key-2")
    await started(watched)
    watched.sources[1].key = key("key-3")
    watched.keeper.look_at_keys()
    watched.keeper.rekey([KeyPlace(watched.sources[0], key("key-1"))])
    await watched.look()
    assert [record.ref for record in watched.keeper.lease.keys] == ["key-1"]


async def test_l13_a_first_token_is_kept_before_it_is_handed_out(make):
    watched = make()
    watched.store.gate = asyncio.Event()
    caller = asyncio.create_task(watched.keeper.token(watched.clock.now() + 1))
    await watched.grant()
    assert not caller.done()
    watched.store.gate.set()
    assert (await caller).token.value.reveal() == "token-1"
    assert watched.store.memory is not None
    assert watched.store.memory.reply is not None


async def test_l13_a_report_is_answered_when_its_rejection_is_kept_however_slow_the_disk(make):
    watched = make()
    await started(watched)
    watched.issuer.dead.add("token-1")
    watched.store.gate = asyncio.Event()
    report = watched.report("token-1", wait=5)
    await settle()
    await watched.grant()
    await watched.clock.advance(0.3)  # the next token is handed out, for a disk may not take longer than that
    assert await watched.served() == "token-2"
    assert not report.done()
    watched.store.gate.set()
    assert await report is Outcome.REPLACED


async def test_l11_a_defect_in_remembering_costs_no_token(make, monkeypatch):
    watched = make()

    def broken(_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(watched.keeper.remembrance, "note", broken)
    watched.keeper.observe()
    await watched.grant()
    assert await watched.served() == "token-1"
