"""Who is on the other end, as the kernel wrote it down when the connection was made."""

import asyncio
import errno
import os
import socket
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from broker.callers import unix
from broker.callers.listeners import unix_listener
from broker.callers.units import lodging, our_hierarchy
from broker.core.access import Workload
from tests.callers.folders import open_folder

AT = lodging(Path("/proc/self/cgroup").read_text(), our_hierarchy())
OURSELVES = Workload(os.getuid(), os.getgid(), os.getpid(), "here", frozenset(os.getgroups()), *AT)

STRANGER = """
import os, socket, sys
os.setgroups([int(group) for group in sys.argv[2:]])
os.setgid(54322)
os.setuid(54321)
with socket.socket(socket.AF_UNIX) as connection:
    connection.connect(sys.argv[1])
    print(os.getpid(), flush=True)
    connection.recv(1)
"""


def test_a_socketpair_is_ourselves():
    ours, other = socket.socketpair()
    with ours, other:
        assert unix.prove(ours, "here") == OURSELVES


def test_a_connection_is_ourselves_even_after_its_end(tmp_path: Path):
    """The kernel wrote it down at `connect`; a peer that is gone is still the one that came."""
    with unix_listener(tmp_path / "s", 0o600) as listener:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(tmp_path / "s"))
            connection, _ = listener.accept()
        with connection:
            assert unix.prove(connection, "here") == OURSELVES


async def test_what_asyncio_shows_of_a_socket_will_do(tmp_path: Path):
    proven: asyncio.Future[Workload | None] = asyncio.get_running_loop().create_future()

    def met(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        proven.set_result(unix.prove(writer.get_extra_info("socket"), "here"))
        writer.close()

    with unix_listener(tmp_path / "s", 0o600) as listener:
        async with await asyncio.start_unix_server(met, sock=listener):
            _, writer = await asyncio.open_unix_connection(tmp_path / "s")
            assert await proven == OURSELVES
            writer.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user needs root")
def test_another_user_is_seen_as_that_user():
    with open_folder() as folder:
        path = folder / "s"
        with unix_listener(path, 0o666) as listener:
            listener.setblocking(True)
            with subprocess.Popen([sys.executable, "-c", STRANGER, path], stdout=subprocess.PIPE) as stranger:
                connection, _ = listener.accept()
                with connection:
                    assert stranger.stdout
                    pid = int(stranger.stdout.readline())
                    assert unix.prove(connection, str(path)) == Workload(
                        54321, 54322, pid, str(path), frozenset(), *AT
                    )


@pytest.mark.parametrize("family", [socket.AF_UNIX, socket.AF_INET])
def test_nobody_is_assumed_where_there_is_no_peer(family: int):
    with socket.socket(family) as lonely:
        assert unix.prove(lonely, "here") is None
    assert unix.prove(lonely, "here") is None  # closed: the kernel says nothing at all


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user needs root")
@pytest.mark.parametrize(
    ("given", "told"),
    [
        ([], frozenset()),
        ([700], frozenset({700})),
        ([700, 701, 4294967294], frozenset({700, 701, 4294967294})),
        (list(range(1000, 1256)), frozenset(range(1000, 1256))),
        # More than the standard library hands over: then none, so that no grant is given by half a list.
        (list(range(1000, 1257)), frozenset()),
    ],
)
def test_supplementary_groups_are_told_as_they_were_at_the_connection(given: list[int], told: frozenset[int]):
    with open_folder() as folder:
        path = folder / "s"
        with unix_listener(path, 0o666) as listener:
            listener.setblocking(True)
            command = [sys.executable, "-c", STRANGER, str(path), *map(str, given)]
            with subprocess.Popen(command, stdout=subprocess.DEVNULL) as stranger:
                connection, _ = listener.accept()
                with connection:
                    workload = unix.prove(connection, "here")
                    assert workload == Workload(54321, 54322, stranger.pid, "here", told, *AT)


class Told:
    """A connection of which the kernel tells what the test says."""

    def __init__(self, pid: int, uid: int) -> None:
        self._ucred = struct.pack("3i", pid, uid, uid)

    def getsockopt(self, level: int, option: int, buflen: int, /) -> bytes:
        del level, buflen
        if option == socket.SO_PEERCRED:
            return self._ucred
        if option == unix._SO_PEERGROUPS:
            return b""
        raise OSError(errno.ENOPROTOOPT, "an old kernel")


@pytest.mark.parametrize(
    ("uid", "status", "pid"),
    [
        (0, "Name:\tsh\nNSpid:\t700\n", 700),
        (
            0,
            "Name:\tsh\nNSpid:\t700\t1\n",
            0,
        ),  # root of a container below us; the kernel gives our pid for it
        (0, None, 0),  # gone, or hidden: not to be told from one
        (1001, "NSpid:\t700\t1\n", 700),  # only root means something else there
        # It may name itself as it likes; the kernel writes `\\n` for a line feed there, and keeps all else as it is.
        *((0, f"Name:\t{end}NSpid:\t1\nNSpid:\t700\t1\n", 0) for end in "\v\f\x1c\x1d\x1e\x85\u2028\u2029"),
    ],
)
def test_root_of_a_container_below_is_told_like_any_of_another_pid_namespace(tmp_path, uid, status, pid):
    if status is not None:
        (tmp_path / "700").mkdir()
        (tmp_path / "700/status").write_text(f"{status}Uid:\t{uid}\t{uid}\t{uid}\t{uid}\n")
        (tmp_path / "700/stat").write_text(f"700 (sh) S {' '.join(['0'] * 20)}\n")
    told = unix.prove(Told(700, uid), "here", root=tmp_path)
    assert told is not None
    assert told.pid == pid
