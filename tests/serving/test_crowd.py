"""No user's connections shut out another's, however many users there are, and no stranger's those of a reader."""

import resource
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.core.access import Owner, Workload
from broker.serving import crowd
from broker.serving.crowd import Crowd
from broker.serving.row import Rank, User

ROOT, OWN = 0, 7
STRANGERS = 100_000  # their uids begin here; all others may read something
OWNER = Owner(OWN, in_container=False)


@dataclass(eq=False)
class Visitor:
    """Implements `Guest`."""

    user: User
    closed: bool = field(default=False)
    used: bool = field(default=False)

    def make_room(self) -> None:
        self.closed = True


def workload(uid: int | None, pid: int | None = 9) -> Workload | None:
    return None if uid is None else Workload(uid, uid, pid, "the socket")


def house(most: int) -> Crowd:
    return Crowd(most, OWNER.is_, lambda one: one.uid < STRANGERS)


def come(those: Crowd, uid: int | None, pid: int | None = 9) -> Visitor | None:
    """One more connection; None if it may not enter."""
    visitor = Visitor(those.user(workload(uid, pid)))
    if not those.admits(visitor.user):
        return None
    those.enter(visitor)
    return visitor


def all_in(those: Crowd, uid: int | None, pid: int | None = 9) -> list[Visitor]:
    """As many as may enter."""
    inside: list[Visitor] = []
    while len(inside) < 5000 and (visitor := come(those, uid, pid)) is not None:
        inside.append(visitor)
    return inside


def busy(those: Crowd, uid: int) -> list[Visitor]:
    """As many as may enter, each with a request that is being handled."""
    inside = all_in(those, uid)
    for visitor in inside:
        those.works(visitor)
    return inside


def test_one_user_gets_half_a_second_half_of_the_rest_and_so_on():
    those = house(4096)
    assert [len(busy(those, greedy)) for greedy in (1001, 1002, 1003)] == [1792, 896, 448]


def test_nine_greedy_users_leave_room_for_a_tenth():
    those = house(512)
    had = [visitor for greedy in range(1001, 1010) for visitor in all_in(those, greedy)]
    newcomers = [come(those, 1010) for _ in range(20)]
    assert None not in newcomers
    left = [visitor.user.uid for visitor in had if not visitor.closed]
    assert min(left.count(uid) for uid in range(1001, 1010)) >= 20
    assert those.inside <= 512 - 64


def test_of_the_user_with_most_the_longest_idle_goes():
    those = house(512)
    few = [come(those, 1999) for _ in range(5)]
    many = all_in(those, 1001)
    others = busy(those, 1002)  # who takes what is left, and some of the idle ones
    there = [visitor for visitor in many if not visitor.closed]
    those.rests(there[0])
    for uid in range(1003, 1200):
        come(those, uid)
        if there[1].closed:
            break
    assert [visitor.closed for visitor in there[:3]] == [False, True, False], "it was served just now"
    assert not [visitor for visitor in (*few, *others) if visitor is None or visitor.closed]


def test_who_has_most_is_refused_and_closes_nobody():
    those = house(512)
    first = all_in(those, 1001)
    assert len(first) == 224
    assert come(those, 1001) is None
    assert not [visitor for visitor in first if visitor.closed]


def test_two_who_both_want_all_end_with_as_many():
    those = house(512)
    first, second = all_in(those, 1001), []
    while (visitor := come(those, 1002)) is not None:
        second.append(visitor)
    assert abs(sum(not one.closed for one in first) - len(second)) <= 1


def test_thousands_of_strangers_with_one_connection_each_take_half_and_shut_out_nobody():
    """As one person has by the subordinate uids of user namespaces."""
    those = house(4096)
    strangers = [come(those, STRANGERS + number) for number in range(5000)]
    assert None not in strangers
    assert those.inside == (4096 - 512) // 2
    assert len(all_in(those, 1001)) == (4096 - 512) // 2
    assert come(those, STRANGERS + 5000) is not None


def test_thousands_of_readers_with_one_connection_each_shut_out_nobody():
    """As a grant to a group gives."""
    those = house(4096)
    readers = [come(those, uid) for uid in range(1001, 6001)]
    assert None not in readers
    assert those.inside == 4096 - 512
    assert come(those, 1000) is not None


def test_a_readers_pool_of_twenty_survives_four_thousand_strangers_of_one_connection_each():
    those = house(4096)
    pool = [come(those, 1001) for _ in range(20)]
    for number in range(4000):
        come(those, STRANGERS + number)
    assert not [visitor for visitor in pool if visitor is None or visitor.closed]
    assert len(all_in(those, 1001)) > 1000


def test_readers_have_what_they_would_have_without_strangers_and_the_longest_idle_stranger_goes_for_them():
    for before in (0, 3000):
        those = house(512)
        strangers = [come(those, STRANGERS + number) for number in range(before)]
        there = [one for one in strangers if one is not None and not one.closed]
        assert [len(busy(those, reader)) for reader in (1001, 1002, 1003)] == [224, 112, 56]
        gone = [one.closed for one in there]
        assert gone == sorted(gone, reverse=True)


def test_no_readers_connection_is_closed_for_a_stranger():
    those = house(512)
    readers = [visitor for reader in range(1001, 1010) for visitor in all_in(those, reader)]
    inside = [visitor for visitor in readers if not visitor.closed]
    assert len(inside) == 448
    assert come(those, STRANGERS) is None
    assert come(those, None) is None
    assert not [visitor for visitor in inside if visitor.closed]


def test_among_strangers_who_has_most_makes_room():
    those = house(512)
    first = all_in(those, STRANGERS)
    assert len(first) == 112
    assert len(all_in(those, STRANGERS + 1)) == 84
    others = [come(those, STRANGERS + number) for number in range(2, 100)]
    assert None not in others
    assert first[0].closed


def test_a_request_that_is_handled_is_not_ended_for_a_newcomer():
    those = house(40)
    working = busy(those, 1001)
    others = [visitors for uid in range(1002, 1010) if (visitors := all_in(those, uid))]
    assert not [visitor for visitor in working if visitor.closed]
    assert any(visitor.closed for visitor in others[0])
    those.rests(working[3])
    while come(those, 1099) is not None:
        pass
    assert [visitor.closed for visitor in working].index(True) == 3


def test_the_owner_is_served_in_a_full_house_as_itself_and_as_root():
    for uid in (OWN, ROOT):
        those = house(4096)
        for reader in range(1001, 5501):
            come(those, reader)
        for stranger in range(STRANGERS, STRANGERS + 4500):
            come(those, stranger)
        assert len(all_in(those, uid)) >= 256


def test_the_owners_connections_are_closed_for_nobody():
    those = house(512)
    own = all_in(those, OWN)
    assert len(own) == 256
    for uid in (*range(1001, 2001), *range(STRANGERS, STRANGERS + 1000)):
        come(those, uid)
    assert not [visitor for visitor in own if visitor.closed]
    assert come(those, 2002) is not None


def test_root_of_a_container_is_a_user_of_its_own():
    those = house(512)
    foreign = all_in(those, ROOT, pid=0)
    assert len(foreign) == 224
    assert come(those, ROOT) is not None
    assert not [visitor for visitor in foreign if visitor.closed]


def test_callers_whom_nobody_proves_are_one_user_and_make_room_for_each_other():
    those = house(512)
    unknown = [come(those, None) for _ in range(300)]
    assert None not in unknown
    assert sum(visitor is not None and not visitor.closed for visitor in unknown) == 112
    assert come(those, 1001) is not None
    assert come(those, 1001) is not None


def test_who_leaves_makes_room_and_leaves_once():
    those = house(40)
    inside = all_in(those, 1001)
    those.leave(inside[0])
    those.leave(inside[0])
    assert come(those, 1001) is not None
    assert come(those, 1001) is None


UIDS = st.sampled_from([None, OWN, ROOT, 1001, 1002, 1003, STRANGERS, STRANGERS + 1])
STEPS = st.tuples(
    st.sampled_from(["come", "come", "come", "leave", "works", "rests"]), UIDS, st.integers(0, 40)
)


@given(st.lists(STEPS, max_size=300))
def test_the_count_is_right_whatever_comes_and_goes(history):
    those = house(40)
    ever: list[Visitor] = []
    for step, uid, which in history:
        inside = [one for one in ever if not one.closed]
        if step == "come":
            before = len(inside)
            visitor = come(those, uid)
            ever += [visitor] if visitor else []
            closed = [one for one in inside if one.closed]
            assert len(closed) <= (visitor is not None), "one goes for one who comes"
            assert all(one.user.rank is Rank.STRANGER for one in closed) or (
                visitor is not None
                and visitor.user.rank is not Rank.STRANGER
                and closed[0].user.rank is Rank.READER
            ), "nobody's place is taken by a rank below it"
            assert those.inside == before + (visitor is not None) - len(closed)
        elif inside:
            one = inside[which % len(inside)]
            getattr(those, step)(one)
            if step == "leave":
                ever.remove(one)
        inside = [one for one in ever if not one.closed]
        assert those.inside == len(inside) <= 40
        ranks = [one.user.rank for one in inside]
        assert len(ranks) - ranks.count(Rank.OWNER) <= 24
        assert ranks.count(Rank.STRANGER) <= 12
    for one in ever:
        those.leave(one)
    assert those.inside == 0
    assert not any(row.inside or row.had or row._idle or row._at for row in those._rows.values())


@pytest.mark.parametrize(("files", "most"), [(1024, 512), (1_000_000, 4096), (resource.RLIM_INFINITY, 4096)])
def test_descriptors_stay_free_for_iam(monkeypatch, files, most):
    monkeypatch.setattr(resource, "getrlimit", lambda _: (files, files))
    assert crowd.places(4096) == most
