"""Who is on the other end of a Unix socket, as the kernel wrote it down when the connection was made.

- The uid that stands for all whom our user namespace does not map proves nobody. The gid that stands for all groups that
  it does not map is no group: as the caller's own it is None, and among the supplementary ones it is left out.
- Where the kernel tells a pid, `/proc` tells the rest: unit, container, and whether its pid namespace is ours. What it
  shows counts only where `process.seen` gives it; a caller that is gone by then is in no unit.
- The kernel gives a pid of ours for a process in a container below us too. Root there is not root here, so root's pid
  is looked at once more and told as 0, like that of any other process that is not of our own pid namespace.
"""

import socket
import struct
from functools import lru_cache
from pathlib import Path

from broker.callers import proc, process
from broker.callers.process import Connection
from broker.callers.recent import Recent, Seen
from broker.callers.units import Lodging, lodging, our_hierarchy
from broker.core.access import Workload

# What is needed for each connection is looked up once.
_SOL_SOCKET, _SO_PEERCRED = socket.SOL_SOCKET, socket.SO_PEERCRED
_UCRED = struct.Struct("3i")
_UCRED_BYTES, _ucred = _UCRED.size, _UCRED.unpack
# Not named by the standard library; the same number on all of Linux's usual machines.
_SO_PEERGROUPS = 59
_GID_BYTES = 4
# The library hands over at most 1024 bytes.
_MOST_GROUPS = 256
_GROUPS_BYTES = _MOST_GROUPS * _GID_BYTES
_NOTHING = Seen()  # of a caller that is gone, or has no pid here
# Of what is worked out from evidence, and from nothing else, so many results are kept.
_MOST_KEPT = 1024


def prove(
    connection: Connection,
    listener: str,
    ambiguous_uid: int | None = None,
    ambiguous_gid: int | None = None,
    root: Path = Path("/proc"),
    recent: Recent | None = None,
) -> Workload | None:
    """The proven caller, or None where the kernel does not say: then nobody is assumed.

    The ambiguous ones are the uid that proves nobody and the gid that proves no group, see `overflow`. Without `recent`,
    `/proc` is read for each connection.
    """
    try:
        told = connection.getsockopt(_SOL_SOCKET, _SO_PEERCRED, _UCRED_BYTES)
    except OSError:
        return None
    pid, uid, _ = _ucred(told)
    if uid < 0 or uid == ambiguous_uid:  # below 0 is what the kernel writes where there is no peer
        return None
    seen = process.seen(connection, pid, uid, root, _look, recent) if pid else None
    return _workload(told, _groups(connection), ambiguous_gid, listener, seen or _NOTHING)


@lru_cache(maxsize=_MOST_KEPT)
def _workload(told: bytes, groups: bytes, ambiguous_gid: int | None, listener: str, seen: Seen) -> Workload:
    """The caller by all that was found; who is found to be just the same is the same object, however often it connects."""
    pid, uid, gid = _ucred(told)
    return Workload(
        uid=uid,
        gid=None if gid == ambiguous_gid else gid,
        pid=0 if uid == 0 and not seen.ours else pid,
        listener=listener,
        groups=frozenset(struct.unpack(f"{len(groups) // _GID_BYTES}I", groups)) - {ambiguous_gid},
        unit=seen.at.unit,
        slices=seen.at.slices,
        container=seen.at.container,
    )


def _look(root: Path, pid: int, uid: int) -> Seen:
    caller = f"{root}/{pid}"
    # Who is not root is judged by its uid, wherever it lives.
    return Seen(uid == 0 and _in_our_pid_namespace(caller), _lodging(caller))


def _in_our_pid_namespace(caller: str) -> bool:
    """Whether the process has one pid only: ours. False where it cannot be seen, or is gone."""
    try:
        return len(proc.words(f"{caller}/status", "NSpid:")) == 1
    except OSError:
        return False


def _lodging(caller: str) -> Lodging:
    try:
        return lodging(proc.text(f"{caller}/cgroup"), our_hierarchy())
    except OSError:
        return Lodging()


def _groups(connection: Connection) -> bytes:
    """The supplementary groups; none where there are more than can be told, so that no grant is given by half a list."""
    try:
        return connection.getsockopt(_SOL_SOCKET, _SO_PEERGROUPS, _GROUPS_BYTES)
    except OSError:
        return b""
