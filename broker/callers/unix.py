"""Who is on the other end of a Unix socket, as the kernel wrote it down when the connection was made.

- The uid that stands for all whom our user namespace does not map proves nobody. The gid that stands for all groups that
  it does not map is no group: as the caller's own it is None, and among the supplementary ones it is left out.
- Where the kernel tells a pid, `/proc` tells the rest: unit, container, and whether its pid namespace is ours. What it
  shows counts only while `process.held` vouches for it; a caller that is gone by then is in no unit.
- The kernel gives a pid of ours for a process in a container below us too. Root there is not root here, so root's pid
  is looked at once more and told as 0, like that of any other process that is not of our own pid namespace.
"""

import socket
import struct
from pathlib import Path

from broker.callers import proc, process
from broker.callers.process import Connection
from broker.callers.units import Lodging, lodging
from broker.core.access import Workload

_UCRED = struct.Struct("3i")
# Not named by the standard library; the same number on all of Linux's usual machines.
_SO_PEERGROUPS = 59
_GID_BYTES = 4
# The library hands over at most 1024 bytes.
_MOST_GROUPS = 256


def prove(
    connection: Connection,
    listener: str,
    ambiguous_uid: int | None = None,
    ambiguous_gid: int | None = None,
    root: Path = Path("/proc"),
) -> Workload | None:
    """The proven caller, or None where the kernel does not say: then nobody is assumed.

    The ambiguous ones are the uid that proves nobody and the gid that proves no group, see `overflow`.
    """
    try:
        told = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    except OSError:
        return None
    pid, uid, gid = _UCRED.unpack(told)
    if uid < 0 or uid == ambiguous_uid:  # below 0 is what the kernel writes where there is no peer
        return None
    groups = _groups(connection) - {ambiguous_gid}
    ours, at = (False, Lodging()) if not pid else _looked_at(connection, pid, uid, root)
    return Workload(
        uid=uid,
        gid=None if gid == ambiguous_gid else gid,
        pid=0 if uid == 0 and not ours else pid,
        listener=listener,
        groups=groups,
        unit=at.unit,
        slices=at.slices,
        container=at.container,
    )


def _looked_at(connection: Connection, pid: int, uid: int, root: Path) -> tuple[bool, Lodging]:
    """Whether the caller is of our own pid namespace, and where it lives; nothing of the kind where it is gone."""
    with process.held(connection, pid, uid, root) as vouched:
        # Who is not root is judged by its uid, wherever it lives.
        ours = uid == 0 and _in_our_pid_namespace(f"{root}/{pid}")
        at = _lodging(f"{root}/{pid}")
        return (ours, at) if vouched() else (False, Lodging())


def _in_our_pid_namespace(caller: str) -> bool:
    """Whether the process has one pid only: ours. False where it cannot be seen, or is gone."""
    try:
        return len(proc.words(f"{caller}/status", "NSpid:")) == 1
    except OSError:
        return False


def _lodging(caller: str) -> Lodging:
    try:
        return lodging(proc.text(f"{caller}/cgroup"))
    except OSError:
        return Lodging()


def _groups(connection: Connection) -> frozenset[int]:
    """The supplementary groups; none where there are more than can be told, so that no grant is given by half a list."""
    try:
        told = connection.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, _MOST_GROUPS * _GID_BYTES)
    except OSError:
        return frozenset()
    return frozenset(struct.unpack(f"{len(told) // _GID_BYTES}I", told))
