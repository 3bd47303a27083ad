"""A day of trouble in small: the broker keeps its promises in it, and the other strategies fail as they must."""

from dataclasses import replace

import pytest

from bench.sim.loop import run
from bench.sim.others import EveryClientAlone, FiveMinutesBefore
from bench.sim.ours import ThisBroker
from bench.sim.outcome import live_reporting
from bench.sim.week import DAY, Plan, Week, week

PLAN = Plan(hours=24.0, clients=20, interval=300, events=DAY)
SHORT = replace(PLAN, hours=1.5, interval=60)


def lived(make, plan=PLAN) -> Week:
    return run(week(make, plan, lambda _: None))


@pytest.fixture(scope="module")
def ours() -> Week:
    return lived(ThisBroker)


def test_the_broker_gives_a_good_token_all_day_but_for_the_revocation(ours):
    assert ours.ledger.gets > 2000
    assert ours.ledger.avoidable == 0
    assert ours.ledger.longest_dead < 310
    assert ours.ledger.longest_wait < 1


def test_the_broker_asks_for_few_tokens_in_50_restarts_and_all_the_rest(ours):
    # The first, after the removed role, with the new key, after the revocation, two or three as tokens age.
    assert 6 <= ours.issues <= 8


def test_clients_alone_fail_when_the_key_goes_and_each_asks_for_itself(ours):
    alone = lived(EveryClientAlone)
    assert alone.ledger.avoidable > 0
    assert alone.ledger.revoked == 20
    assert alone.issues > 10 * ours.issues


def test_a_broker_that_only_looks_at_the_time_serves_dead_tokens_for_hours(ours):
    simple = lived(FiveMinutesBefore)
    assert simple.ledger.avoidable > 100
    assert simple.ledger.longest_dead > 3600
    assert simple.issues > 5 * ours.issues


def test_an_outage_over_the_end_of_a_token_hurts_only_who_waits_for_the_end():
    plan = replace(PLAN, hours=14.0, events=((11.0, "outage"), (13.0, "outage ends")))
    assert lived(ThisBroker, plan).ledger.failed == 0
    assert lived(FiveMinutesBefore, plan).ledger.refused > 100


def test_a_reported_revocation_is_mended_in_seconds():
    week = live_reporting(replace(PLAN, clients=100, interval=60), lambda _: None)
    assert week.ledger.revoked >= 1
    assert week.ledger.longest_dead < 5
    assert week.ledger.avoidable == 0


def test_the_same_seed_gives_the_same_week_and_another_seed_another():
    assert lived(ThisBroker, SHORT) == lived(ThisBroker, SHORT)
    assert lived(ThisBroker, SHORT).ledger.gets != lived(ThisBroker, replace(SHORT, seed=2)).ledger.gets


def test_an_unknown_event_is_an_error():
    with pytest.raises(ValueError, match="nobody knows"):
        lived(FiveMinutesBefore, replace(SHORT, events=((1.0, "flood"),)))
