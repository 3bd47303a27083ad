"""L6: how often IAM may be asked, and how long a failure waits."""

from hypothesis import assume, given
from hypothesis import strategies as st

from broker.core import budget
from broker.core.budget import Bucket
from broker.core.errors import Fault
from broker.core.timing import Phase

draws = st.floats(0, 1, exclude_max=True)


@given(
    steps=st.lists(st.floats(0, 100), max_size=60),
    burst=st.integers(1, 20),
    every=st.floats(0.5, 60),
)
def test_l6_a_bucket_lets_no_more_through_than_burst_and_rate(steps, burst, every):
    now, taken = 0.0, 0
    bucket = Bucket.full(burst, now)
    for step in steps:
        now += step
        if bucket.ready_at(now, every) <= now:
            bucket = bucket.taken(now, every)
            taken += 1
        assert taken <= burst + now / every + 1e-6


@given(level=st.floats(0, 5), every=st.floats(0.5, 60))
def test_l6_a_bucket_is_ready_exactly_when_it_says(level, every):
    bucket = Bucket(5, level, 0.0)
    ready = bucket.ready_at(0.0, every)
    assert bucket.ready_at(ready, every) <= ready
    assume(ready > 0.01)
    assert bucket.ready_at(ready - 0.01, every) > ready - 0.01


def test_l6_a_clock_that_goes_back_refills_nothing():
    assert Bucket(5, 1.0, 100.0).refilled(50.0, 1.0) == Bucket(5, 1.0, 100.0)


def test_l6_the_pace_follows_the_lifetime_down_but_not_up():
    assert [budget.pace(life) for life in (None, 12.0, 300.0, 43200.0)] == [30.0, 1.2, 30.0, 30.0]


@given(
    fault=st.sampled_from(Fault),
    count=st.integers(1, 10_000),
    phase=st.sampled_from(Phase),
    lifetime=st.none() | st.floats(2, 10**6),
    draw=draws,
)
def test_l6_a_pause_is_bounded_whatever_happened(fault, count, phase, lifetime, draw):
    pause = budget.pause(fault, count, phase, lifetime, None, draw)
    assert 0 <= pause <= budget.LONGEST_PAUSE_REJECTED


@given(told=st.floats(0, 10**9), draw=draws, count=st.integers(1, 50))
def test_l6_retry_after_is_a_floor_up_to_a_sane_maximum(told, draw, count):
    pause = budget.pause(Fault.THROTTLED, count, Phase.DUE, 43200.0, told, draw)
    assert min(told, budget.LONGEST_RETRY_AFTER) <= pause <= budget.LONGEST_RETRY_AFTER + 2


def test_l6_pauses_double_up_to_a_bound_that_knows_the_urgency():
    def bound(fault, count, phase, lifetime=43200.0):
        return round(budget.pause(fault, count, phase, lifetime, None, 1.0))

    assert [bound(Fault.UNAVAILABLE, count, Phase.DUE) for count in (1, 2, 3, 20)] == [1, 2, 4, 300]
    assert bound(Fault.UNAVAILABLE, 20, Phase.CRITICAL) == 60
    assert bound(Fault.UNAVAILABLE, 20, Phase.EXPIRED) == 30
    assert bound(Fault.UNAVAILABLE, 20, Phase.EXPIRED, 12.0) == 1
    assert [bound(Fault.REJECTED, count, Phase.EXPIRED) for count in (1, 2, 3, 20)] == [5, 10, 20, 300]
