"""The process on the other end of a Unix socket, held while it is looked at: a pid alone may meanwhile mean another one.

- The kernel gives a descriptor of the very process that connected (SO_PEERPIDFD, Linux 6.5). What `/proc` showed under
  its pid counts only if it still lives afterwards: until then the pid can be nobody else's.
- An older kernel gives none. There the start time must be the same before and after, and one of the process's uids that
  of the caller: then what was looked at was one process, and if not the caller itself, then one of the same user.
- It is held for the look alone: a descriptor for each connection would halve how many there can be.
"""

import contextlib
import errno
import os
import select
import socket
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from broker.callers import proc

# Not named by the standard library; the same number on all of Linux's usual machines.
_SO_PEERPIDFD = 77
_INT = struct.Struct("i")
# In `/proc/PID/stat`, after the name, which is in parentheses and may hold some.
_START = 19


class Connection(Protocol):
    """A socket, or what asyncio shows of one."""

    def getsockopt(self, level: int, option: int, buflen: int, /) -> bytes: ...


@contextlib.contextmanager
def held(connection: Connection, pid: int, uid: int, root: Path) -> Iterator[Callable[[], bool]]:
    """Whether what `/proc` has shown of `pid` since the context began is of the caller; to be asked after the look."""
    try:
        descriptor = _descriptor(connection)
    except OSError:  # it is gone
        yield lambda: False
        return
    if descriptor is None:
        at = f"{root}/{pid}"
        began = _start(at)
        yield lambda: began is not None and _start(at) == began and uid in _uids(at)
        return
    try:
        yield lambda: _lives(descriptor)
    finally:
        os.close(descriptor)


def _descriptor(connection: Connection) -> int | None:
    """The pidfd of the peer; None where the kernel knows none. Raises OSError where the peer is gone."""
    try:
        number: int = _INT.unpack(connection.getsockopt(socket.SOL_SOCKET, _SO_PEERPIDFD, _INT.size))[0]
    except OSError as error:
        # So the kernel says that it does not know the option; to EINVAL or ESRCH it knows it, and the peer is gone.
        if error.errno == errno.ENOPROTOOPT:
            return None
        raise
    return number


def _lives(descriptor: int) -> bool:
    """Whether the process has not ended: a pidfd is readable from its end on."""
    look = select.poll()
    look.register(descriptor, select.POLLIN)
    return not look.poll(0)


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
