"""A ratio is of one round, a median of the rounds' ratios, and a goal is met at its very edge."""

import pytest

from bench.speed.figures import NO_GOAL, Figure, Goal, Outcome


def figure(rounds, reference=(), goal=NO_GOAL):
    return Figure("requests", "this broker", "/s", rounds, "Go", reference, goal)


def test_rounds_are_compared_with_their_own_reference():
    """In the second round all were slow: the ratio of the medians would be 10, which was true in none."""
    its = figure((100.0, 10.0, 300.0), (50.0, 5.0, 10.0))
    assert its.values == (2.0, 2.0, 30.0)
    assert its.value == 2.0
    assert (its.median, its.reference_median) == (100.0, 10.0)


def test_without_a_reference_the_figure_itself_is_judged():
    its = figure((3.0, 1.0, 2.0), goal=Goal(2.0))
    assert its.value == 2.0
    assert its.is_met is True


def test_rounds_without_their_reference_are_no_figure():
    with pytest.raises(ValueError, match="3 rounds of 2"):
        figure((1.0, 1.0, 1.0), (1.0, 1.0))
    with pytest.raises(ValueError, match="0 rounds"):
        figure(())


@pytest.mark.parametrize(
    ("goal", "met", "missed"),
    [(Goal(2.0, at_least=True), (2.0, 9.0), (1.99,)), (Goal(2.0), (2.0, 0.1), (2.01,))],
    ids=["the least", "the most"],
)
def test_a_goal_is_met_at_its_edge_and_missed_beyond(goal, met, missed):
    assert [goal.is_met(value) for value in met] == [True, True]
    assert [goal.is_met(value) for value in missed] == [False]


def test_where_nothing_must_be_reached_nothing_is_missed():
    assert Goal(None, 1.0).is_met(99.0) is None


def test_a_run_fails_by_its_figures_and_by_wrong_answers():
    good, bad = figure((2.0,), goal=Goal(3.0)), figure((4.0,), goal=Goal(3.0))
    assert list(Outcome({}, (good,), ("nginx: not found",), ()).failures) == []
    assert list(Outcome({}, (good, bad), (), ("3 requests failed",)).failures) == [
        "requests is 4, of which 3 is the most",
        "3 requests failed",
    ]
