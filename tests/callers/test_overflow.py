"""Whom our user namespace does not map is told by one number for all: it proves no user and no group."""

import errno
import socket
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from broker.callers import unix
from broker.callers.overflow import ambiguous_gid, ambiguous_uid
from broker.core.access import Grant, Workload
from tests.callers.folders import open_folder
from tests.callers.loopback import needs_root
from tests.callers.test_tcp_namespaces import SECONDS, can_unshare, environment, read

# The broker's side in a user namespace that maps root and root's group only.
IN_A_USER_NAMESPACE = """
import json, socket, struct, sys
from broker.callers import unix
from broker.callers.listeners import unix_listener
from broker.callers.overflow import ambiguous_gid, ambiguous_uid
from pathlib import Path

with unix_listener(Path(sys.argv[1]), 0o666) as listener:
    listener.setblocking(True)
    listener.settimeout(10)
    print("here", flush=True)
    connection, _ = listener.accept()
    with connection:
        told = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        found = unix.prove(connection, "here", ambiguous_uid(), ambiguous_gid())
        print(json.dumps({
            "kernel_names": struct.unpack("3i", told)[1:],
            "proven": found and [found.uid, found.gid, sorted(found.groups)],
        }))
"""

STRANGER = """
import os, socket, sys
os.setgroups([54323, 0])
os.setgid(int(sys.argv[3]))
os.setuid(int(sys.argv[2]))
with socket.socket(socket.AF_UNIX) as client:
    client.connect(sys.argv[1])
    client.recv(1)
"""


class Peer:
    """A connection of which the kernel says this."""

    def __init__(self, uid: int, gid: int, *groups: int) -> None:
        self._credentials = struct.pack("3i", 4321, uid, gid)
        self._groups = struct.pack(f"{len(groups)}I", *groups)

    def getsockopt(self, level: int, option: int, buflen: int, /) -> bytes:
        del level, buflen
        if option not in {socket.SO_PEERCRED, unix._SO_PEERGROUPS}:
            raise OSError(errno.ESRCH, "it is gone")
        return self._credentials if option == socket.SO_PEERCRED else self._groups


@pytest.mark.parametrize(
    ("own_map", "overflow", "which"),
    [("uid_map", "overflowuid", ambiguous_uid), ("gid_map", "overflowgid", ambiguous_gid)],
)
@pytest.mark.parametrize(
    ("mapped", "number", "ambiguous"),
    [
        ("         0          0 4294967295\n", "65534\n", None),
        ("         0       1000          1\n", "65534\n", 65534),
        ("         0       1000          1\n", "4711\n", 4711),
        ("         0       1000          1\n         1     100000      65536\n", "65534\n", 65534),
        ("", "65534\n", 65534),
        (None, "65534\n", 65534),
        (None, "what", 65534),
        (None, None, 65534),
    ],
)
def test_the_overflow_number_counts_only_where_all_are_mapped(
    tmp_path: Path,
    own_map: str,
    overflow: str,
    which: Callable[[Path], int | None],
    mapped: str | None,
    number: str | None,
    ambiguous: int | None,
):
    """Each of the two is judged by files of its own; the other's are not there."""
    for name, content in (f"self/{own_map}", mapped), (f"sys/kernel/{overflow}", number):
        if content is not None:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(content)
    assert which(tmp_path) == ambiguous


@pytest.mark.parametrize(
    ("peer", "ambiguous_gid", "gid", "groups"),
    [
        (Peer(7, 65534), 65534, None, set()),
        (Peer(7, 8, 65534, 9), 65534, 8, {9}),
        (Peer(7, 65534, 65534), 65534, None, set()),
        (Peer(7, 4711, 65534), 4711, None, {65534}),
        # Where all are mapped it is a group as any other.
        (Peer(7, 65534, 65534, 9), None, 65534, {65534, 9}),
    ],
)
def test_the_overflow_gid_is_no_group(
    peer: Peer, ambiguous_gid: int | None, gid: int | None, groups: set[int]
):
    proven = unix.prove(peer, "here", 65534, ambiguous_gid)
    assert proven == Workload(7, gid, 4321, "here", frozenset(groups))
    by_its_number = Grant("default", groups=frozenset({65534, 4711}))
    assert (by_its_number.misses(proven) is None) is bool({65534, 4711} & ({gid} | groups))


@pytest.mark.parametrize(("uid", "ambiguous", "known"), [(65534, 65534, False), (65534, None, True)])
def test_the_overflow_uid_is_nobody(uid: int, ambiguous: int | None, known: bool):
    assert (unix.prove(Peer(uid, 8), "here", ambiguous, ambiguous) is not None) is known


@needs_root
@pytest.mark.parametrize(
    ("uid", "gid", "told"),
    [
        (0, 54322, {"kernel_names": [0, 65534], "proven": [0, None, [0]]}),
        (0, 0, {"kernel_names": [0, 0], "proven": [0, 0, [0]]}),
        (54321, 0, {"kernel_names": [65534, 0], "proven": None}),
    ],
)
def test_a_caller_with_groups_that_our_user_namespace_does_not_map(
    uid: int, gid: int, told: dict[str, object]
):
    if not can_unshare("--user", "--map-root-user"):
        pytest.skip("this host forbids new user namespaces")
    with open_folder() as folder:
        path = str(folder / "s")
        command = ["unshare", "--user", "--map-root-user", sys.executable, "-c", IN_A_USER_NAMESPACE, path]
        with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE) as broker:
            assert broker.stdout
            broker.stdout.readline()
            stranger = [sys.executable, "-c", STRANGER, path, str(uid), str(gid)]
            subprocess.run(stranger, check=True, timeout=SECONDS)
            assert read(broker.stdout.readline()) == told
            assert broker.wait(SECONDS) == 0
