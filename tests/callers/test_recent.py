"""What is remembered of a process is of that very process, for a second, and says nothing of who it is or that it lives."""

import errno
import os
import socket
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.callers import process, recent
from broker.callers.process import Connection
from broker.callers.recent import Recent, Seen
from broker.callers.units import Lodging
from tests.callers.loopback import open_files
from tests.callers.remembering import PID, Anonymous, House, Told, caller, needs_pidfs
from tests.callers.test_process import Old
from tests.fakes.clock import FakeClock

pytestmark = needs_pidfs


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
    pidfd = process._pidfd(ours)
    assert pidfd is not None
    looks = 0

    def slow() -> Seen:
        nonlocal looks
        looks += 1
        house.clock.at += 0.7
        return Seen()

    for passed, seen_anew in ((0.0, True), (0.2, False), (0.0, False), (0.2, True)):
        house.clock.at += passed
        before = looks
        house.recent.seen(pidfd, 1001, slow)
        assert (looks > before) == seen_anew
    os.close(pidfd)


def test_another_process_that_has_the_pid_now_is_looked_at_itself(
    house: House, ours: socket.socket, tmp_path: Path
):
    """The attack: a pid comes again within the second, and with it what was found of the one that had it before."""
    assert house.prove(Told(ours)).unit == "a.service"
    house.lives_in("b.service")
    with caller(tmp_path) as (_, [other, _again]):
        assert house.prove(Told(other)).unit == "b.service"


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


def test_a_look_at_a_process_that_had_ended_helps_nobody(house: House, tmp_path: Path):
    """Then it was of who has the pid now; it is remembered under the number of the dead, which is nobody's ever after."""
    with caller(tmp_path) as (calling, [first, second]):
        calling.kill()
        calling.wait(10)
        assert house.prove(Told(first)).unit is None
        assert house.prove(Told(second)).unit is None


def test_uid_and_groups_are_of_the_connection_and_who_differs_in_them_is_another_caller(
    house: House, ours: socket.socket
):
    """A process may change its user between two connections, or be given one that another user's process made."""
    plain, grouped, root = Told(ours), Told(ours, 1001, (5, 6)), Told(ours, 0)
    for _ in range(2):
        told = [house.prove(connection) for connection in (plain, grouped, root)]
        assert [(one.uid, one.groups) for one in told] == [
            (1001, frozenset()),
            (1001, frozenset({5, 6})),
            (0, frozenset()),
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


@pytest.mark.parametrize("kernel", ["anonymous", "32 bits", "without SO_PEERPIDFD"])
def test_where_processes_have_no_lasting_number_nothing_is_remembered(
    house: House, ours: socket.socket, kernel: str
):
    if kernel == "32 bits":
        house.recent = Recent(house.clock.now, has_64_bits=False)
    connection: Connection = {
        "anonymous": Told(Anonymous()),
        "32 bits": Told(ours),
        "without SO_PEERPIDFD": Told(Old(ours)),
    }[kernel]
    for unit in ("a.service", "b.service"):
        house.lives_in(unit)
        assert house.prove(connection).unit == unit
    assert not house.recent._seen


def test_the_pidfd_of_an_older_kernel_is_taken_for_one_of_those_it_is(house: House):
    """All of them are the kernel's one anonymous inode, whatever they are used for."""
    anonymous = os.eventfd(0)
    looks: list[Seen] = []

    def look() -> Seen:
        looks.append(Seen())
        return looks[-1]

    for _ in range(2):
        house.recent.seen(anonymous, 0, look)
    os.close(anonymous)
    assert len(looks) == 2


def test_only_so_many_processes_are_remembered_and_the_longest_known_goes_first(house: House):
    """A shell that starts one process after another must not fill the memory. Files with numbers stand for pidfds."""
    first, *others = (os.memfd_create("process") for _ in range(3))

    def is_known(pidfd: int) -> bool:
        fresh = Seen(at=Lodging("fresh"))
        return house.recent.seen(pidfd, 1001, lambda: fresh) is not fresh

    def meet(many: int) -> None:
        for _ in range(many):
            pidfd = os.memfd_create("process")
            house.recent.seen(pidfd, 1001, Seen)
            os.close(pidfd)

    for pidfd in (first, *others):
        house.recent.seen(pidfd, 1001, Seen)
    meet(recent.MOST - 3)
    assert all(map(is_known, (first, *others)))
    meet(1)
    assert all(map(is_known, others))
    assert not is_known(first)  # and so another one has gone for it
    assert len(house.recent._seen) == recent.MOST
    for pidfd in (first, *others):
        os.close(pidfd)


def test_one_descriptor_is_held_however_many_processes_there_are_and_none_at_the_end(house: House):
    before = len(open_files())
    for _ in range(20):
        pidfd = os.memfd_create("process")
        house.recent.seen(pidfd, 1001, Seen)
        os.close(pidfd)
        assert len(open_files()) == before + 1
    house.recent.close()
    house.recent.close()
    assert len(open_files()) == before


def test_where_descriptors_run_out_a_caller_is_proven_all_the_same(
    house: House, ours: socket.socket, monkeypatch: pytest.MonkeyPatch
):
    def refuse(_: int) -> int:
        raise OSError(errno.EMFILE, "too many open files")

    monkeypatch.setattr(os, "dup", refuse)
    for _ in range(2):
        assert house.prove(Told(ours)).unit == "a.service"
        house.clock.at += 1


MOVES = st.tuples(st.integers(0, 2), st.integers(0, 3), st.sampled_from([0.0, 0.3, 0.5, 1.0]))


@given(st.lists(MOVES, max_size=40))
def test_whatever_happens_a_process_is_told_to_be_where_it_was_within_the_last_second(moves):
    """Each step moves one process to a unit, lets time pass and asks where it is; files stand for the pidfds."""
    clock = FakeClock()
    memory = Recent(clock.now)
    pidfds = [os.memfd_create("process") for _ in range(3)]
    was_in: list[list[tuple[float, Lodging]]] = [[(clock.at, Lodging("0"))] for _ in pidfds]
    for which, unit, passed in moves:
        history = was_in[which]
        history.append((clock.at, Lodging(str(unit))))
        clock.at += passed
        told = memory.seen(pidfds[which], 1001, partial(Seen, at=history[-1][1])).at
        left = [*(since for since, _ in history[1:]), clock.at + 1]
        assert told in {at for (_, at), end in zip(history, left, strict=True) if end > clock.at - 1}
    for pidfd in pidfds:
        os.close(pidfd)
    memory.close()
