"""Permission fails closed: what no rule allows is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.core.access import Grant, Owner, Policy, Workload

SOCKET = "/run/x/broker.sock"
TCP = "127.0.0.1:9780"
OWNER = Owner(uid=1000, in_container=False)


def caller(
    uid=1001,
    gid: int | None = 1001,
    *,
    pid: int | None = 7,
    listener=SOCKET,
    groups: frozenset[int] = frozenset(),
):
    return Workload(uid, gid, pid, listener, groups)


@pytest.mark.parametrize(
    ("uid", "pid", "in_container", "allowed"),
    [
        (1000, 7, False, True),
        (1000, 0, True, True),  # the pod's other containers run as the same uid
        (0, 7, False, True),
        (0, 0, False, False),  # root of another pid namespace is somebody else's root
        (0, None, False, False),  # over TCP, a container on the host's network looks like the host
        (1000, None, False, True),
        (0, 7, True, False),
        (1001, 7, False, False),
        (65534, 7, False, False),
    ],
)
def test_without_grants_the_owner_and_the_hosts_root_read_and_nobody_else(uid, pid, in_container, allowed):
    policy = Policy(Owner(uid=1000, in_container=in_container))
    assert policy.may_read(caller(uid, pid=pid), "default").allowed is allowed
    assert policy.may_view(caller(uid, pid=pid), "default").allowed is allowed


@pytest.mark.parametrize(
    ("pid", "in_container", "allowed"),
    [(7, False, True), (None, False, True), (0, True, True), (7, True, True), (0, False, False)],
)
def test_a_broker_run_as_root_serves_root_but_not_a_containers_root_on_its_host(pid, in_container, allowed):
    assert Policy(Owner(0, in_container)).may_read(caller(0, pid=pid), "default").allowed is allowed


@pytest.mark.parametrize(
    ("grant", "workload", "allowed"),
    [
        (Grant("default", users=frozenset({1001})), caller(1001), True),
        (Grant("default", users=frozenset({1001})), caller(1002), False),
        (Grant("other", users=frozenset({1001})), caller(1001), False),
        (Grant("default", groups=frozenset({50})), caller(gid=50), True),
        (Grant("default", groups=frozenset({50})), caller(groups=frozenset({50, 51})), True),
        (Grant("default", groups=frozenset({50})), caller(gid=None), False),
        (Grant("default", groups=frozenset({50})), caller(gid=51), False),
        (Grant("default", users=frozenset({1001}), listeners=frozenset({TCP})), caller(listener=TCP), True),
        (Grant("default", users=frozenset({1001}), listeners=frozenset({TCP})), caller(), False),
        (Grant("default", listeners=frozenset({SOCKET}), anyone=True), caller(), True),
        (Grant("default", listeners=frozenset({SOCKET}), anyone=True), caller(listener=TCP), False),
        (Grant("default", anyone=True), caller(), False),
        (Grant("default", listeners=frozenset({SOCKET})), caller(), False),
        (Grant("default"), caller(), False),
    ],
)
def test_a_grant_allows_what_it_names(grant, workload, allowed):
    assert Policy(OWNER, (grant,)).may_read(workload, "default").allowed is allowed


@pytest.mark.parametrize("uid", [0, 1000])
def test_with_grants_the_owner_and_root_keep_the_view_but_not_the_token(uid):
    policy = Policy(OWNER, (Grant("default", users=frozenset({1001})),))
    assert not policy.may_read(caller(uid), "default")
    assert policy.may_view(caller(uid), "default")
    assert not policy.may_view(caller(1002), "default")


@given(uid=st.sampled_from([0, 1000, 1001]), anyone=st.booleans())
def test_nothing_reaches_past_the_limit_of_a_listener(uid, anyone):
    grant = Grant("secret", users=frozenset({uid}), listeners=frozenset({SOCKET}), anyone=anyone)
    for grants in ((), (grant,)):
        policy = Policy(OWNER, grants, limits={SOCKET: frozenset({"public"})})
        assert not policy.may_read(caller(uid), "secret")
        assert not policy.may_view(caller(uid), "secret")


@given(
    users=st.frozensets(st.integers(0, 5)),
    groups=st.frozensets(st.integers(0, 5)),
    uid=st.integers(0, 5),
    gid=st.none() | st.integers(0, 5),
    more=st.frozensets(st.integers(0, 5)),
)
def test_a_right_comes_from_a_named_user_or_a_named_group_and_from_nothing_else(
    users, groups, uid, gid, more
):
    workload = caller(uid, gid, groups=more)
    granted = (
        Policy(OWNER, (Grant("default", users=users, groups=groups),)).may_read(workload, "default").allowed
    )
    assert granted is (uid in users or gid in groups or bool(more & groups))


@pytest.mark.parametrize(
    ("unit", "slices", "allowed"),
    [
        ("app.service", {"system.slice"}, True),
        ("other.service", {"system.slice", "jobs.slice"}, True),
        ("other.service", {"system.slice"}, False),
        ("jobs.slice", set(), True),
        ("App.service", set(), False),
        (None, set(), False),
    ],
)
def test_a_unit_is_granted_by_its_own_name_or_that_of_a_slice_around_it(unit, slices, allowed):
    grant = Grant("default", units=frozenset({"app.service", "jobs.slice"}))
    workload = Workload(1001, 1001, 7, SOCKET, unit=unit, slices=frozenset(slices))
    assert Policy(OWNER, (grant,)).may_read(workload, "default").allowed is allowed


def test_each_judgement_says_what_decided_it():
    grants = (Grant("other", users=frozenset({7})), Grant("default", users=frozenset({7})))
    policy = Policy(OWNER, grants, {TCP: frozenset({"other"})})
    assert policy.may_read(caller(7), "default").by == "grants[1]"
    assert policy.may_view(caller(7), "default").by == "grants[1]"
    assert policy.may_read(caller(8), "default").by == "no grant"
    assert policy.may_read(caller(7, listener=TCP), "default").by == "the listener's identities"
    assert policy.may_view(caller(1000), "default").by == "owner"
    assert policy.may_view(caller(1000, listener=TCP), "default").by == "the listener's identities"
    assert Policy(OWNER).may_read(caller(1000), "default").by == "owner"
    assert Policy(OWNER).may_read(caller(7), "default").by == "no grant"


def test_who_reads_anything_has_a_grant_that_holds_where_it_comes_from():
    grants = (
        Grant("default", users=frozenset({7})),
        Grant("other", users=frozenset({8}), listeners=frozenset({TCP})),
    )
    policy = Policy(OWNER, grants, {TCP: frozenset({"other"})})
    assert policy.reads_anything(caller(7))
    assert not policy.reads_anything(caller(7, listener=TCP))
    assert policy.reads_anything(caller(8, listener=TCP))
    assert not policy.reads_anything(caller(8))
    assert not policy.reads_anything(caller(9))


@given(uid=st.sampled_from([0, 1000, 1001]), granted=st.booleans())
def test_who_reads_nothing_may_read_no_identity(uid, granted):
    policy = Policy(OWNER, (Grant("default", users=frozenset({1001})),) if granted else ())
    assert policy.reads_anything(caller(uid)) is policy.may_read(caller(uid), "default").allowed


@given(
    grants=st.lists(
        st.builds(
            Grant,
            st.sampled_from(["default", "other"]),
            st.frozensets(st.integers(1, 3), max_size=2),
            st.frozensets(st.integers(1, 3), max_size=2),
            st.frozensets(st.sampled_from(["a.service", "b.slice"]), max_size=1),
            st.frozensets(st.sampled_from([SOCKET, TCP]), max_size=1),
            st.booleans(),
        ),
        max_size=6,
    ),
    uid=st.integers(1, 4),
    gid=st.none() | st.integers(1, 4),
    unit=st.none() | st.just("a.service"),
    slices=st.frozensets(st.just("b.slice")),
)
def test_what_is_looked_up_is_what_a_look_at_each_grant_finds(grants, uid, gid, unit, slices):
    workload = Workload(uid, gid, 7, SOCKET, frozenset({2}), unit, slices)
    policy = Policy(OWNER, (Grant("nobody's"), *grants), {SOCKET: frozenset({"default"})})
    fitting = [each for each in grants if each.misses(workload) is None and each.identity == "default"]
    assert policy.reads_anything(workload) is bool(fitting)
    verdict = policy.may_read(workload, "default")
    assert verdict.allowed is bool(fitting)
    assert not fitting or verdict.by == f"grants[{grants.index(fitting[0]) + 1}]"
