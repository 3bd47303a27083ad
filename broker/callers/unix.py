"""Who is on the other end of a Unix socket, as the kernel wrote it down when the connection was made."""

import socket
import struct
from typing import Protocol

from broker.core.access import Workload

_UCRED = struct.Struct("3i")
# Not named by the standard library; the same number on all of Linux's usual machines.
_SO_PEERGROUPS = 59
_GID_BYTES = 4
# The library hands over at most 1024 bytes.
_MOST_GROUPS = 256


class Connection(Protocol):
    """A socket, or what asyncio shows of one."""

    def getsockopt(self, level: int, option: int, buflen: int, /) -> bytes: ...


def prove(connection: Connection, listener: str) -> Workload | None:
    """The proven caller, or None where the kernel does not say: then nobody is assumed."""
    try:
        told = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    except OSError:
        return None
    pid, uid, gid = _UCRED.unpack(told)
    if uid < 0:  # what the kernel writes where there is no peer
        return None
    return Workload(uid, gid, pid, listener, _groups(connection))


def _groups(connection: Connection) -> frozenset[int]:
    """The supplementary groups; none where there are more than can be told, so that no grant is given by half a list."""
    try:
        told = connection.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, _MOST_GROUPS * _GID_BYTES)
    except OSError:
        return frozenset()
    return frozenset(struct.unpack(f"{len(told) // _GID_BYTES}I", told))
