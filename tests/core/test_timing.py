"""L4 and L5: lifetimes by IAM's clock alone, four phases, a due point drawn once."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from broker.core import timing
from broker.core.timing import Phase

ISSUED = datetime(2026, 1, 1, tzinfo=UTC)
lives = st.floats(min_value=1.5, max_value=365 * 86400)
draws = st.floats(min_value=0, max_value=1, exclude_max=True)


@given(life=st.integers(2, 10**6))
def test_l4_a_lifetime_is_the_difference_of_iams_own_times(life):
    assert timing.lifetime(ISSUED, ISSUED + timedelta(seconds=life), None) == life


@given(life=st.integers(2, 10**6), age=st.integers(-(10**6), 2 * 10**6))
def test_l4_date_shortens_a_lifetime_and_never_lengthens_it(life, age):
    ends = ISSUED + timedelta(seconds=life)
    got = timing.lifetime(ISSUED, ends, ISSUED + timedelta(seconds=age))
    expected = min(life, life - age) if age < life else life  # a Date after the end is not believed
    assert expected == got


@given(sent=st.floats(0, 1e9), life=lives, draw=draws)
def test_l5_phases_follow_each_other_and_end_a_second_early(sent, life, draw):
    span = timing.span(sent, life, draw)
    assert sent + 0.5 * life - 1e-6 <= span.due_at <= sent + 0.75 * life + 1e-6
    assert abs(span.critical_at - (sent + 0.9 * life)) < 1e-6 * max(1.0, sent)
    assert span.deadline == sent + life - 1
    assert span.phase(span.deadline) is Phase.EXPIRED
    order = [span.phase(sent + life * step / 64) for step in range(65)]
    assert order == sorted(order)


@given(life=st.sampled_from([12.0, 180.0, 43200.0]), draw=draws)
def test_l5_all_four_phases_exist_from_seconds_to_hours(life, draw):
    span = timing.span(0, life, draw)
    middles = [0.0, (span.due_at + span.critical_at) / 2, (span.critical_at + span.deadline) / 2, life]
    assert [span.phase(at) for at in middles] == [Phase.FRESH, Phase.DUE, Phase.CRITICAL, Phase.EXPIRED]


@given(host=st.text(), identity=st.text(), digest=st.text())
def test_l5_the_draw_is_the_same_each_time(host, identity, digest):
    first = timing.draw(host, identity, digest)
    assert 0 <= first < 1
    assert first == timing.draw(host, identity, digest)


def test_l5_a_fleet_restarted_at_once_is_spread_evenly():
    draws_of_fleet = [timing.draw(f"host-{number}", "default", "d" * 64) for number in range(1000)]
    tenths = [sum(1 for draw in draws_of_fleet if int(draw * 10) == tenth) for tenth in range(10)]
    assert max(tenths) < 2 * 100
    assert min(tenths) > 100 / 2
