"""The process on the other end of a Unix socket, held while it is looked at: a pid alone may meanwhile mean another one.

- The kernel gives a descriptor of the very process that connected (SO_PEERPIDFD, Linux 6.5). What `/proc` showed under
  its pid counts only if it still lives afterwards: until then the pid can be nobody else's. So does what it showed a
  moment ago: `recent` says why the kernel need not be asked for the descriptor then.
- An older kernel gives none. There the start time must be the same before and after, and one of the process's uids that
  of the caller: then what was looked at was one process, and if not the caller itself, then one of the same user.
- No descriptor is held for a connection, which would halve how many there can be: only for the look, and by `recent`.
"""

import errno
import os
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from broker.callers import proc
from broker.callers.recent import Recent, Seen, watch

# Not named by the standard library; the same number on all of Linux's usual machines.
_SO_PEERPIDFD = 77
_INT = struct.Struct("i")
# In `/proc/PID/stat`, after the name, which is in parentheses and may hold some.
_START = 19

# Looks at a process under its pid, which came as this uid, in such a root.
Look = Callable[[Path, int, int], Seen]


class Connection(Protocol):
    """A socket, or what asyncio shows of one."""

    def getsockopt(self, level: int, option: int, buflen: int, /) -> bytes: ...


def seen(
    connection: Connection, pid: int, uid: int, root: Path, look: Look, recent: Recent | None
) -> Seen | None:
    """What `look` finds of the caller under its pid in `root`; None where that may be of somebody else, or it is gone."""
    if recent is not None and (known := recent.recall(pid, uid)) is not None:
        return known
    try:
        pidfd = _pidfd(connection)
    except OSError:  # it is gone
        return None
    if pidfd is None:
        return _seen_by_start(root, pid, uid, look)
    is_kept = False
    try:
        since = 0.0 if recent is None else recent.now()
        found = look(root, pid, uid)
        if watch(pidfd)(0):  # it has ended
            return None
        if recent is not None:
            recent.keep(pid, uid, found, since, pidfd)
            is_kept = True
        return found
    finally:
        if not is_kept:
            os.close(pidfd)


def _seen_by_start(root: Path, pid: int, uid: int, look: Look) -> Seen | None:
    caller = f"{root}/{pid}"
    began = _start(caller)
    found = look(root, pid, uid)
    return found if began is not None and _start(caller) == began and uid in _uids(caller) else None


def _pidfd(connection: Connection) -> int | None:
    """The pidfd of the peer; None where the kernel knows none. Raises OSError where the peer is gone."""
    try:
        number: int = _INT.unpack(connection.getsockopt(socket.SOL_SOCKET, _SO_PEERPIDFD, _INT.size))[0]
    except OSError as error:
        # So the kernel says that it does not know the option; to EINVAL or ESRCH it knows it, and the peer is gone.
        if error.errno == errno.ENOPROTOOPT:
            return None
        raise
    return number


def _start(process: str) -> str | None:
    """When it started, in the kernel's ticks; None where it is gone or hidden."""
    try:
        return proc.text(f"{process}/stat").rpartition(")")[2].split()[_START]
    except (OSError, IndexError):
        return None


def _uids(process: str) -> frozenset[int]:
    """Its real, effective, saved and file system uid; none where it is gone or hidden."""
    try:
        return frozenset(map(int, proc.words(f"{process}/status", "Uid:")))
    except OSError:
        return frozenset()
