"""What each answer to a validation means, with and without evidence (L8); and which key is asked when (L10)."""

from dataclasses import replace

import pytest

from broker.core import keys, lease, watch
from broker.core.degraded import Reason, reasons
from broker.core.errors import Fault
from broker.core.events import (
    Alive,
    Checking,
    Failed,
    Issued,
    KeyChanged,
    KeyReverted,
    Reported,
    Started,
    Unchecked,
    Woke,
)
from broker.core.happening import apply
from broker.core.keys import Place
from broker.core.lease import Lease
from broker.core.model import Held
from broker.core.timing import span
from broker.core.watch import Method
from tests.core.builders import failure, fresh, held, token

ROLES = frozenset({"r1"})
DIGEST = token("held").digest
SELF, LIST = Method.AUTH_TOKENS, Method.PROJECTS


def holding(*refs: str, roles: tuple[str, ...] = ("r1",), access_rules: bool = False) -> Lease:
    """A lease of some moments ago, with a token of the first key."""
    given = Held(replace(token("held", roles), access_rules=access_rules), span(0.0, 43200.0, 0.5))
    return apply(apply(fresh(*refs), Started(0.0)), Issued(0.0, 1, given))


def alive(kept: Lease, by: Method = SELF, roles: frozenset[str] | None = ROLES, at: float = 2.0) -> Lease:
    return apply(kept, Alive(at, DIGEST, by, roles))


def refused(
    kept: Lease, by: Method = SELF, fault: Fault = Fault.REJECTED, *, forbidden: bool = False
) -> Lease:
    return apply(kept, Unchecked(DIGEST, by, failure(3.0, fault), forbidden))


def issued(
    kept: Lease, generation: int, project: str = "p1", name: str = "next", sent: float = 10.0
) -> Lease:
    given = Held(token(name, project=project), span(sent, 43200.0, 0.5))
    return apply(apply(kept, Started(sent)), Issued(sent, generation, given))


def rejected(kept: Lease, generation: int, at: float = 10.0) -> Lease:
    return apply(apply(kept, Started(at)), Failed(generation, failure(at, Fault.REJECTED, draw=0.99)))


def test_a_refusal_kills_only_where_the_method_has_succeeded_before():
    assert refused(alive(holding())).held is None
    assert refused(holding()).held is not None


@pytest.mark.parametrize("fault", [Fault.UNAVAILABLE, Fault.THROTTLED, Fault.PROTOCOL])
def test_any_other_fault_keeps_the_token_and_is_tried_again(fault):
    kept = refused(alive(holding()), fault=fault)
    assert kept.held is not None
    assert kept.watch.due_at <= 3.0 + 30.0


def test_a_403_never_kills_and_rules_out_a_method_without_evidence():
    proven = refused(alive(holding()), fault=Fault.PROTOCOL, forbidden=True)
    assert proven.held is not None
    assert watch.method(proven.watch) is SELF
    assert watch.method(refused(holding(), fault=Fault.PROTOCOL, forbidden=True).watch) is LIST


def test_it_steps_down_to_the_list_and_then_off_and_tries_again_with_the_next_token():
    stepped = refused(holding())
    assert watch.method(stepped.watch) is LIST
    over = refused(stepped, LIST)
    assert lease.next_check(over, 1e6) == watch.NEVER
    assert reasons(over) == (Reason.VALIDATION_OFF,)
    assert watch.method(issued(over, 1).watch) is SELF


def test_what_has_proven_itself_is_asked_first():
    by_list = alive(refused(holding()), LIST, None)
    assert watch.method(issued(by_list, 1).watch) is LIST


def test_access_rules_turn_it_off_at_once():
    kept = holding(access_rules=True)
    assert lease.next_check(kept, 1e6) == watch.NEVER
    assert reasons(kept) == (Reason.VALIDATION_OFF,)


def test_a_first_token_is_looked_at_soon_a_later_one_within_the_interval_and_the_heir_of_a_dead_one_soon():
    first = holding()
    assert 1.0 < first.watch.due_at < 5.0
    assert 225.0 <= issued(alive(first), 1).watch.due_at - 10.0 <= 300.0
    assert issued(refused(alive(first)), 1).watch.due_at < 15.0


def test_fewer_roles_ask_for_a_new_token_once_and_are_named():
    kept = alive(holding(roles=("r1", "r2")))
    assert kept.wanted
    assert [role.id for role in kept.lost] == ["r2"]
    assert Reason.ROLES_REDUCED in reasons(kept)
    renewed = issued(kept, 1)  # with r1 alone
    assert not renewed.wanted
    assert Reason.ROLES_REDUCED in reasons(renewed)


def test_roles_that_are_back_end_the_complaint():
    lost = issued(alive(holding(roles=("r1", "r2"))), 1)
    back = apply(lost, Alive(20.0, token("next").digest, SELF, frozenset({"r1", "r2"})))
    assert Reason.ROLES_REDUCED not in reasons(back)
    assert back.wanted  # its token still says less


def test_a_difference_that_a_new_token_does_not_mend_is_not_chased():
    kept = issued(alive(holding(), roles=frozenset({"r1", "implied"})), 1)
    again = apply(kept, Alive(20.0, token("next").digest, SELF, frozenset({"r1", "implied"})))
    assert not again.wanted


def test_a_rejected_key_gives_way_to_the_standby_at_once():
    kept = rejected(fresh("key-1", "key-2"), 1)
    asked = lease.key_to_ask(kept, 10.0)
    assert asked is not None
    assert asked.ref == "key-2"
    assert kept.trouble is None
    assert reasons(issued(kept, 2)) == (Reason.STANDBY_KEY_IN_USE,)


def test_the_primary_is_tried_again_and_used_again():
    kept = issued(rejected(fresh("key-1", "key-2"), 1), 2)
    assert lease.key_to_ask(kept, 11.0) is None
    asked = lease.key_to_ask(kept, 400.0)
    assert asked is not None
    assert asked.ref == "key-1"
    back = issued(kept, 1, name="back", sent=400.0)
    assert back.held is not None
    assert back.held.token.value.reveal() == "back"
    assert reasons(back) == ()


def test_a_standby_is_proven_at_start_and_daily_and_its_token_not_used():
    kept = holding("key-1", "key-2")
    asked = lease.key_to_ask(kept, 5.0)
    assert asked is not None
    assert asked.place is Place.STANDBY
    proven = issued(kept, 2)
    assert proven.held == kept.held
    assert lease.key_to_ask(proven, 20.0) is None
    later = keys.to_try(proven.keys, 10.0 + 86400.0, 1)
    assert later is not None
    assert later.place is Place.STANDBY


def test_a_standby_that_is_found_dead_is_named_while_nothing_is_wrong_yet():
    assert reasons(rejected(holding("key-1", "key-2"), 2)) == (Reason.STANDBY_KEY_REJECTED,)


def test_both_keys_rejected_is_what_workloads_are_told():
    kept = rejected(rejected(fresh("key-1", "key-2"), 1), 2)
    assert kept.trouble is not None
    assert kept.trouble.fault is Fault.REJECTED
    assert set(reasons(kept)) == {Reason.KEY_REJECTED, Reason.STANDBY_KEY_REJECTED}


def test_a_new_key_is_tried_before_it_replaces_the_old():
    kept = apply(holding(), KeyChanged(5.0, Place.PRIMARY, 3, "key-3"))
    bad = rejected(kept, 3)
    assert bad.held == kept.held
    assert reasons(bad) == (Reason.NEW_KEY_REJECTED,)
    assert [record.ref for record in bad.keys if record.settled] == ["key-1"]
    assert reasons(apply(bad, KeyReverted(20.0, Place.PRIMARY))) == ()
    good = issued(kept, 3)
    assert [record.ref for record in good.keys] == ["key-3"]
    assert good.held is not None
    assert good.held.token.value.reveal() == "next"


def test_a_key_of_another_project_is_refused_for_good():
    kept = issued(apply(holding(), KeyChanged(5.0, Place.PRIMARY, 3, "key-3")), 3, project="p2")
    assert kept.held is not None
    assert kept.held.token.project.id == "p1"
    assert reasons(kept) == (Reason.KEY_PROJECT_MISMATCH,)
    assert keys.to_try(kept.keys, 1e9, 1) is None


def test_a_token_that_ends_with_its_key_is_not_refreshed_in_a_loop():
    """The key ends 1000 s from now, so each token does."""
    kept = apply(apply(fresh(), Started(0.0)), Issued(0.0, 1, held("one", sent_at=0.0, life=1000.0)))
    kept = apply(apply(kept, Started(700.0)), Issued(700.0, 1, held("two", sent_at=700.0, life=300.0)))
    assert lease.decide(kept, 990.0) is lease.Action.REST
    assert lease.next_issue(kept, 990.0) >= 999.0
    assert lease.decide(replace(kept, held=None, state=lease.State.EMPTY), 1000.0) is lease.Action.ISSUE


def test_the_standby_takes_over_from_a_key_that_ends():
    kept = apply(apply(fresh("key-1", "key-2"), Started(0.0)), Issued(0.0, 1, held("one", life=1000.0)))
    kept = issued(kept, 2, name="proof", sent=10.0)
    kept = apply(apply(kept, Started(700.0)), Issued(700.0, 1, held("two", sent_at=700.0, life=300.0)))
    asked = lease.key_to_ask(kept, 900.0)
    assert asked is not None
    assert asked.ref == "key-2"
    taken = issued(kept, 2, name="of the standby", sent=900.0)
    assert taken.held is not None
    assert taken.held.token.value.reveal() == "of the standby"


def test_what_comes_while_a_validation_is_under_way_asks_for_another():
    """Its answer is older than the sleep, or the report."""
    for event in (Woke(301.0), Reported(301.0, DIGEST)):
        flying = apply(alive(holding()), Checking(300.0))
        landed = apply(apply(flying, event), Alive(302.0, DIGEST, SELF, ROLES))
        assert lease.next_check(landed, 302.0) <= 302.0
        assert landed.reports.valid != DIGEST


def test_a_role_that_goes_twice_is_missed_twice():
    both, fewer = frozenset({"r1", "r2"}), frozenset({"r1"})
    kept = issued(alive(holding(roles=("r1", "r2")), roles=fewer), 1)
    back = Held(token("back", ("r1", "r2")), span(20.0, 43200.0, 0.5))
    kept = apply(apply(kept, Started(20.0)), Issued(20.0, 1, back))
    kept = apply(kept, Alive(30.0, token("back").digest, SELF, both))
    assert not kept.wanted
    assert apply(kept, Alive(40.0, token("back").digest, SELF, fewer)).wanted


def test_a_token_that_was_asked_for_while_another_is_under_way_is_still_to_come():
    """What is on its way left before the role went."""
    flying = apply(holding(roles=("r1", "r2")), Started(10.0))
    missed = apply(flying, Alive(11.0, DIGEST, SELF, ROLES))
    old = Held(token("old", ("r1", "r2")), span(10.0, 43200.0, 0.5))
    assert apply(missed, Issued(12.0, 1, old)).wanted


def test_a_dead_token_does_not_leave_its_patience_behind():
    kept = alive(holding())
    for _ in range(12):
        failed = Failed(1, failure(30_000.0, Fault.UNAVAILABLE, draw=0.99))
        kept = apply(apply(kept, Started(30_000.0)), failed)
    assert lease.next_issue(kept, 30_000.0) > 30_100.0
    dead = apply(kept, Unchecked(DIGEST, SELF, failure(30_001.0, Fault.REJECTED)))
    assert lease.next_issue(dead, 30_001.0) <= 30_031.0 + 30.0


def test_what_iam_tells_to_wait_holds_for_validations_and_who_hurries_them():
    told = apply(alive(holding()), Unchecked(DIGEST, SELF, failure(3.0, Fault.THROTTLED, retry_after=200.0)))
    assert lease.next_check(apply(told, Woke(10.0)), 10.0) >= 203.0


def test_iams_trouble_ends_when_iam_answers():
    """A trial of the standby met an outage; the token at hand is fresh, and nothing is wrong any more."""
    kept = apply(apply(alive(holding("key-1", "key-2")), Started(5.0)), Failed(2, failure(5.0)))
    assert Reason.IAM_UNAVAILABLE in reasons(kept)
    assert reasons(alive(kept, at=300.0)) == ()
    assert reasons(rejected(kept, 2, at=300.0)) == (Reason.STANDBY_KEY_REJECTED,)


def test_a_shorter_life_is_not_the_end_of_the_key():
    """IAM gives an hour from now on where it gave twelve."""
    kept = apply(apply(fresh(), Started(0.0)), Issued(0.0, 1, held("one", life=43200.0)))
    short = Held(replace(token("two"), expires_at="2026-01-01T09:00:00.000000Z"), span(30_000.0, 3600.0, 0.5))
    kept = apply(apply(kept, Started(30_000.0)), Issued(30_000.0, 1, short))
    assert lease.decide(kept, 30_000.0 + 2500.0) is lease.Action.ISSUE


def test_evidence_is_kept_for_the_keys_of_now_alone():
    kept = alive(holding())
    kept = issued(apply(kept, KeyChanged(5.0, Place.PRIMARY, 3, "key-3")), 3)
    assert kept.watch.evidence == frozenset()


def test_a_key_of_whose_token_nothing_can_be_said_is_tried_once():
    """It may be dead since before there was any evidence; then the standby takes over, without a death of proof."""
    kept = refused(refused(holding("key-1", "key-2")), LIST)
    asked = lease.key_to_ask(kept, 10.0)
    assert asked is not None
    assert asked.ref == "key-1"
    taken = issued(rejected(kept, 1), 2)
    assert taken.held is not None
    assert taken.held.token.value.reveal() == "next"
    again = issued(kept, 1)
    digest = token("next").digest
    for by in (SELF, LIST):
        again = apply(again, Unchecked(digest, by, failure(20.0, Fault.REJECTED)))
    assert not again.wanted, "once"
