"""Who is on the other end of a Unix socket, as the kernel wrote it down when the connection was made."""

import socket
import struct
from typing import Protocol

from broker.core.access import Workload

_UCRED = struct.Struct("3i")


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
    return Workload(uid=uid, gid=gid, pid=pid, listener=listener)
