"""What `/proc` showed of a process a moment ago, so that it is not read anew for each connection that the process makes.

- A process is known by the number of its pidfd's inode: since Linux 6.9 the kernel counts processes there in 64 bits and
  gives no number twice before it boots again. A pid would not do; another process has it tomorrow.
- Before 6.9 all pidfds are one anonymous inode, with one number for everybody, and on 32 bits numbers come again: there
  nothing is remembered. An anonymous one is known by its device, which is that of every anonymous inode.
- For a second at most: a process can be moved to another control group. Only what a process is in is remembered, never
  who it is: uid, gid and groups are those of each connection.
- Of the process last looked at a descriptor is held. The kernel makes an inode for the first pidfd of a process and drops
  it with the last, so one that is held makes all others of a busy process cheap; one for each would be too many.
- It says nothing of whether the process still lives; `process` asks the kernel that each time, afterwards. Who lives then
  has lived since the look, so a look at somebody else's pid is of no use to anybody.
"""

import contextlib
import os
import select
import sys
from collections.abc import Callable
from typing import NamedTuple

from broker.callers.units import Lodging

SECONDS = 1.0
MOST = 1024


class Seen(NamedTuple):
    """What `/proc` shows of a process."""

    ours: bool = False  # root of our own pid namespace; not looked at for anybody but root
    at: Lodging = Lodging()


def anonymous_device() -> int:
    """The device that the kernel shows for all its anonymous inodes."""
    with select.epoll() as anonymous:
        return os.fstat(anonymous.fileno()).st_dev


class Recent:
    """Remembers what was seen of 1,024 processes within the last second; the longest known is forgotten first."""

    def __init__(self, now: Callable[[], float], *, has_64_bits: bool = sys.maxsize > 2**32) -> None:
        """`now` is CLOCK_BOOTTIME in seconds."""
        self._now = now
        self._anonymous = anonymous_device()
        self._has_64_bits = has_64_bits
        # By the number of the process, and whether it was looked at as root, of whom more is asked.
        self._seen: dict[tuple[int, bool], tuple[float, Seen]] = {}
        self._held: int | None = None

    def seen(self, pidfd: int, uid: int, look: Callable[[], Seen]) -> Seen:
        """What `look` finds of the process of a pidfd which came as this uid, or has found less than a second ago."""
        inode = os.fstat(pidfd)
        if inode.st_dev == self._anonymous or not self._has_64_bits:
            return look()
        known = inode.st_ino, uid == 0
        now = self._now()
        until, seen = self._seen.get(known, _NEVER)
        if now >= until:
            seen = look()
            self._seen[known] = now + SECONDS, seen  # a second from before the look
            if len(self._seen) > MOST:
                del self._seen[next(iter(self._seen))]
            self._hold(pidfd)
        return seen

    def close(self) -> None:
        """Let go of the descriptor that is held."""
        if self._held is not None:
            os.close(self._held)
            self._held = None

    def _hold(self, pidfd: int) -> None:
        self.close()
        with contextlib.suppress(OSError):  # where descriptors run out, it goes without
            self._held = os.dup(pidfd)


_NEVER = float("-inf"), Seen()
