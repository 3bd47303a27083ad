"""What `/proc` shows counts for the process that connected, and for no other one that came to have its pid."""

import errno
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from broker.callers import process, unix
from broker.callers.listeners import unix_listener
from broker.callers.process import Connection
from broker.callers.recent import Seen

PROC = Path("/proc")
# Connects, leaves the connection to a child, and ends.
LEAVING = """
import os, socket, sys
connection = socket.socket(socket.AF_UNIX)
connection.connect(sys.argv[1])
if os.fork():
    os._exit(0)
sys.stdin.buffer.read()
"""
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="choosing the next pid needs root")


class Old:
    """A connection on a kernel that gives no pidfd."""

    def __init__(self, connection: Connection, number: int = errno.ENOPROTOOPT) -> None:
        self._connection = connection
        self._number = number

    def getsockopt(self, level: int, option: int, buflen: int, /) -> bytes:
        if option == process._SO_PEERPIDFD:
            raise OSError(self._number, os.strerror(self._number))
        return self._connection.getsockopt(level, option, buflen)


class As:
    """A connection that was made by this user."""

    def __init__(self, connection: Connection, pid: int, uid: int) -> None:
        self._connection = connection
        self._ucred = struct.pack("3i", pid, uid, uid)

    def getsockopt(self, level: int, option: int, buflen: int, /) -> bytes:
        if option == socket.SO_PEERCRED:
            return self._ucred
        return self._connection.getsockopt(level, option, buflen)


def knows_pidfd() -> bool:
    one, other = socket.socketpair()
    with one, other:
        try:
            descriptor = struct.unpack("i", one.getsockopt(socket.SOL_SOCKET, process._SO_PEERPIDFD, 4))[0]
        except OSError:
            return False
        os.close(descriptor)
        return True


needs_pidfd = pytest.mark.skipif(not knows_pidfd(), reason="needs Linux 6.5, which gives the pidfd of a peer")


@contextmanager
def connected(folder: Path) -> Iterator[tuple[socket.socket, int]]:
    """A connection whose maker has ended while a child of it holds the other end; and the pid that it had."""
    with unix_listener(folder / "s", 0o600) as listener:
        listener.setblocking(True)
        command = [sys.executable, "-c", LEAVING, str(folder / "s")]
        with subprocess.Popen(command, stdin=subprocess.PIPE) as maker:
            connection, _ = listener.accept()
            maker.wait(10)
            with connection:
                yield connection, maker.pid


@contextmanager
def recycled(pid: int, *command: str) -> Iterator[None]:
    """Another process has this pid now, that of a command."""
    for _ in range(200):
        (PROC / "sys/kernel/ns_last_pid").write_text(str(pid - 1))
        with subprocess.Popen(command or ["sleep", "30"]) as other:
            try:
                if other.pid == pid:
                    yield
                    return
            finally:
                other.kill()
    pytest.skip("this host is too busy to give one pid again")


def vouched(
    connection: Connection, pid: int, uid: int, proc: Path = PROC, meanwhile: Callable[[], object] = bool
) -> bool:
    def look(*_: object) -> Seen:
        meanwhile()
        return Seen()

    return process.seen(connection, pid, uid, proc, look, None) is not None


@pytest.mark.parametrize("old", [pytest.param(False, marks=needs_pidfd), True])
def test_who_lives_is_vouched_for_and_no_descriptor_stays(old: bool):
    ours, other = socket.socketpair()
    with ours, other:
        before = len(list((PROC / "self/fd").iterdir()))
        asked: Connection = Old(ours) if old else ours
        assert vouched(asked, os.getpid(), os.geteuid())
        assert len(list((PROC / "self/fd").iterdir())) == before


@pytest.mark.parametrize("old", [pytest.param(False, marks=needs_pidfd), True])
def test_who_has_ended_is_in_no_unit_and_still_the_user_that_it_was(tmp_path: Path, old: bool):
    with connected(tmp_path) as (connection, pid):
        asked: Connection = Old(connection) if old else connection
        assert not vouched(asked, pid, os.geteuid())
        told = unix.prove(asked, "here")
        assert told is not None
        assert (told.uid, told.unit, told.slices, told.container) == (os.geteuid(), None, frozenset(), None)


@pytest.mark.parametrize(("uid", "pid_told"), [(0, False), (1001, True)])
@pytest.mark.parametrize("old", [pytest.param(False, marks=needs_pidfd), True])
def test_what_stands_under_the_pid_of_a_caller_that_has_ended_says_nothing_of_it(
    tmp_path: Path, old: bool, uid: int, pid_told: bool
):
    """Rule: neither its unit nor its pid namespace; so root that is gone is not taken for root of this host."""
    with connected(tmp_path) as (connection, pid):
        other = tmp_path / "proc" / str(pid)
        other.mkdir(parents=True)
        group = f"/system.slice/docker-{'ab' * 32}.scope"
        (other / "cgroup").write_text(f"1:name=systemd:{group}\n0::{group}\n")
        (other / "status").write_text(f"NSpid:\t{pid}\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\n")
        if not old:  # there the start time alone tells
            (other / "stat").write_text(f"{pid} (sh) S {' '.join(['0'] * 20)}\n")
        asked: Connection = As(Old(connection) if old else connection, pid, uid)
        told = unix.prove(asked, "here", root=other.parent)
        assert told is not None
        assert (told.unit, told.slices, told.container) == (None, frozenset(), None)
        assert told.pid == (pid if pid_told else 0)


@needs_root
@needs_pidfd
def test_a_recycled_pid_is_not_taken_for_the_caller(tmp_path: Path):
    with connected(tmp_path) as (connection, pid), recycled(pid):
        assert (PROC / str(pid) / "stat").read_text().startswith(f"{pid} (sleep)")
        assert not vouched(connection, pid, os.geteuid())


def test_on_an_old_kernel_another_start_time_or_another_user_gives_it_away(tmp_path: Path):
    ours, other = socket.socketpair()
    caller = tmp_path / "7"
    caller.mkdir()
    (caller / "status").write_text("Name:\tx\nUid:\t5\t6\t7\t8\n")

    def started(ticks: int) -> None:
        (caller / "stat").write_text(f"7 (a) b) S {' '.join(['0'] * 18)} {ticks} 0\n")

    with ours, other:
        started(100)
        assert all(vouched(Old(ours), 7, uid, tmp_path) for uid in (5, 6, 7, 8))
        assert not vouched(Old(ours), 7, 9, tmp_path)
        (caller / "status").write_text("Name:\t\vUid:\t9\nUid:\t5\t6\t7\t8\n")  # as it named itself
        assert not vouched(Old(ours), 7, 9, tmp_path)
        assert not vouched(Old(ours), 7, 5, tmp_path, meanwhile=lambda: started(101))
        (caller / "stat").unlink()
        assert not vouched(Old(ours), 7, 5, tmp_path)


@pytest.mark.parametrize("number", [errno.ESRCH, errno.EINVAL, errno.EMFILE])
def test_a_kernel_that_cannot_give_it_vouches_for_nobody(number: int):
    ours, other = socket.socketpair()
    with ours, other:
        assert not vouched(Old(ours, number), os.getpid(), os.geteuid())
