"""What is remembered of a process is of that very process, for a second, and says nothing of who it is or that it lives."""

import errno
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.callers import process, recent
from broker.callers.recent import Seen
from broker.callers.units import Lodging
from tests.callers.loopback import open_files
from tests.callers.remembering import PID, House, Told, caller
from tests.callers.test_process import Old, needs_pidfd

pytestmark = needs_pidfd


@pytest.fixture(name="house")
def build(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    house.lives_in("a.service")
    yield house
    house.recent.close()


@pytest.fixture(name="ours")
def connect() -> Iterator[socket.socket]:
    ours, other = socket.socketpair()
    with ours, other:
        yield ours


def remember(house: House, pid: int) -> None:
    house.recent.keep(pid, 1001, Seen(), house.clock.at, os.pidfd_open(os.getpid()))


def test_a_process_that_moves_to_another_group_is_seen_there_after_a_second(
    house: House, ours: socket.socket
):
    assert house.prove(Told(ours)).unit == "a.service"
    house.lives_in("b.service")
    house.clock.at += 0.99
    assert house.prove(Told(ours)).unit == "a.service"
    house.clock.at += 0.01
    assert house.prove(Told(ours)).unit == "b.service"


def test_the_second_begins_before_the_look_and_no_recall_makes_it_longer(house: House, ours: socket.socket):
    looks = 0

    def slow(*_: object) -> Seen:
        nonlocal looks
        looks += 1
        house.clock.at += 0.7
        return Seen()

    for passed, seen_anew in ((0.0, True), (0.2, False), (0.0, False), (0.2, True)):
        house.clock.at += passed
        before = looks
        process.seen(ours, PID, 1001, house.root, slow, house.recent)
        assert (looks > before) == seen_anew


def test_who_is_known_costs_no_descriptor_and_no_question_for_one(house: House, ours: socket.socket):
    """So it is still known to be in its unit where descriptors have run out."""
    house.prove(Told(ours))
    before = open_files()
    assert house.prove(Told(Old(ours, errno.EMFILE))).unit == "a.service"
    assert open_files() == before


def test_another_process_that_has_the_pid_now_is_looked_at_itself(house: House, tmp_path: Path):
    """The attack: a pid comes again within the second, and with it what was found of the one that had it before."""
    with caller(tmp_path) as (first, [connection, _again]):
        assert house.prove(Told(connection)).unit == "a.service"
        first.kill()
        first.wait(10)
    house.lives_in("b.service")
    with caller(tmp_path) as (_, [connection, again]):
        assert house.prove(Told(connection)).unit == "b.service"
        house.lives_in("c.service")
        assert house.prove(Told(again)).unit == "b.service"


@pytest.mark.parametrize("uid", [0, 1001])
def test_a_process_that_has_ended_is_not_vouched_for_on_any_of_its_connections(
    house: House, tmp_path: Path, uid: int
):
    """Rule: as without the memory, it is in no unit, and root that is gone is not root of this host."""
    with caller(tmp_path) as (calling, connections):
        told = house.prove(Told(connections[0], uid))
        assert (told.unit, told.pid) == ("a.service", PID)
        calling.kill()
        calling.wait(10)
        for connection in connections:
            told = house.prove(Told(connection, uid))
            assert (told.uid, told.pid) == (uid, PID if uid else 0)
            assert (told.unit, told.slices, told.container) == Lodging()


def test_a_look_at_a_process_that_had_ended_is_not_kept(house: House, tmp_path: Path):
    """It was a look at who has the pid now."""
    with caller(tmp_path) as (calling, connections):
        calling.kill()
        calling.wait(10)
        before = open_files()
        for connection in connections:
            assert house.prove(Told(connection)).unit is None
        assert open_files() == before


def test_uid_and_groups_are_of_the_connection_and_who_differs_in_them_is_another_caller(
    house: House, ours: socket.socket
):
    """A process may change its user between two connections, or be given one that another user's process made."""
    plain, grouped, root = Told(ours), Told(ours, 1001, (5, 6)), Told(ours, 0)
    for _ in range(2):
        told = [house.prove(connection) for connection in (plain, grouped, root)]
        assert [(one.uid, one.gid, one.groups) for one in told] == [
            (1001, 1001, frozenset()),
            (1001, 1001, frozenset({5, 6})),
            (0, 0, frozenset()),
        ]
        assert [one.unit for one in told] == ["a.service"] * 3


@pytest.mark.parametrize("first", [0, 1001])
def test_who_is_known_as_another_user_is_looked_at_once_more_as_root(
    house: House, ours: socket.socket, first: int
):
    """Rule: that it is of our pid namespace is asked for root alone, and never taken for asked where it was not."""
    house.prove(Told(ours, first))
    assert house.prove(Told(ours, 0)).pid == PID
    (house.process / "status").write_text(f"NSpid:\t{PID}\t1\n")
    house.clock.at += 1
    house.prove(Told(ours, first))
    assert house.prove(Told(ours, 0)).pid == 0


def test_the_same_caller_on_another_connection_is_the_same_object(house: House, tmp_path: Path):
    """Ten thousand idle connections of one process hold one of them."""
    with caller(tmp_path) as (_, connections):
        told = [house.prove(Told(connection, 1001, (5,))) for connection in connections]
        house.clock.at += 5
        told.append(house.prove(Told(connections[0], 1001, (5,))))
        assert told[0] is told[1] is told[2]


def test_where_the_kernel_gives_no_pidfd_nothing_is_remembered(house: House, ours: socket.socket):
    before = open_files()
    for unit in ("a.service", "b.service"):
        house.lives_in(unit)
        assert house.prove(Told(Old(ours))).unit == unit
    assert open_files() == before


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ESRCH, errno.EINVAL])
def test_where_it_cannot_give_one_nobody_is_vouched_for_and_nothing_remembered(
    house: House, ours: socket.socket, number: int
):
    before = open_files()
    for _ in range(2):
        assert house.prove(Told(Old(ours, number))).unit is None
    assert open_files() == before


def test_what_is_forgotten_is_closed_and_a_look_that_fails_leaves_nothing_open(
    house: House, ours: socket.socket
):
    def broken(*_: object) -> Seen:
        raise ValueError

    before = len(open_files())
    for _ in range(5):
        house.prove(Told(ours))
        assert len(open_files()) == before + 1
        house.clock.at += 1
    with pytest.raises(ValueError):  # noqa: PT011 - ours
        process.seen(ours, PID, 1001, house.root, broken, house.recent)
    assert len(open_files()) == before


def test_64_processes_are_remembered_and_the_longest_known_goes_first(house: House):
    """A shell that starts one process after another must not fill the memory, nor take all descriptors."""
    before = len(open_files())
    for pid in range(1, recent.MOST + 1):
        remember(house, pid)
        assert len(open_files()) == before + pid
    house.clock.at += 0.5
    remember(house, 1)  # looked at anew, so 2 is the one longest known
    assert len(open_files()) == before + recent.MOST == before + 64
    for pid in (1001, 1002):
        remember(house, pid)
        assert len(open_files()) == before + recent.MOST
    assert [pid for pid in range(1, 1100) if house.recent.recall(pid, 1001) is None] == [
        2,
        3,
        *range(65, 1001),
        *range(1003, 1100),
    ]
    house.recent.close()
    house.recent.close()
    assert len(open_files()) == before
