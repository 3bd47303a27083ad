"""No user's connections shut out another's, and whoever sends no whole request is let go."""

import resource

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.serving import crowd
from broker.serving.crowd import Crowd


def test_one_user_gets_half_and_the_rest_is_for_others():
    those = Crowd(most=10)
    assert [those.enter(1001) for _ in range(7)] == [True] * 5 + [False] * 2
    assert [those.enter(uid) for uid in range(6)] == [True] * 5 + [False]


def test_several_greedy_users_leave_some_for_who_has_none():
    those = Crowd(most=512)
    had = [sum(those.enter(greedy) for _ in range(600)) for greedy in range(4)]
    assert had == [256, 128, 64, 32]
    assert those.enter(1001)


def test_who_leaves_makes_room():
    those = Crowd(most=2)
    assert those.enter(None)
    assert not those.enter(None)
    those.leave(None)
    assert those.enter(None)


@given(st.lists(st.tuples(st.sampled_from([None, 0, 1, 2]), st.booleans()), max_size=200))
def test_the_count_is_right_whatever_comes_and_goes(history):
    those, inside = Crowd(most=8), []
    for uid, comes in history:
        if comes and those.enter(uid):
            inside.append(uid)
        elif not comes and uid in inside:
            inside.remove(uid)
            those.leave(uid)
        assert len(inside) <= 8
        assert all(inside.count(one) <= 4 for one in set(inside))
    for uid in inside:
        those.leave(uid)
    assert those.enter(1)


@pytest.mark.parametrize(
    ("files", "most"), [(1024, 512), (1_000_000, crowd.MOST), (resource.RLIM_INFINITY, crowd.MOST)]
)
def test_half_of_the_descriptors_stay_free_for_iam(monkeypatch, files, most):
    monkeypatch.setattr(resource, "getrlimit", lambda _: (files, files))
    assert crowd._room() == most
