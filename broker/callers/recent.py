"""What `/proc` showed of a process a moment ago, so that it is not read anew for each connection that the process makes.

- Kept beside it is the pidfd that the kernel gave of that caller (SO_PEERPIDFD, Linux 6.5). Who connects with a pid that
  is kept is given what was seen, if that very process still lives: a pidfd is readable from its process's end on.
- Why the same pid is then the same process: the kernel hands over the connections of one listener in the order in which
  they were made, and each is proven as it is accepted. So this one was made after the one whose caller is kept. That
  process lived when it connected and lives now, and all that time no other could have its pid: not when this connection
  was made either, which is when the kernel writes down the pid of who makes it, who lives at that moment.
- Hence each listener has a memory of its own. Two queues have no common order: in the other one a connection may wait
  that was made before, by a process that is gone, and whose pid the one that is kept got only then.
- Hence, too, the process is asked for its life after the recall, as it is after a look: `process` does that.
- For a second at most: a process can be moved to another control group. Only what a process is in is remembered, never
  who it is: uid, gid and groups are those of each connection.
- A descriptor for each process that is kept, so at most 64. Where the kernel gives none, nothing is remembered.
"""

import os
import select
from collections.abc import Callable
from typing import NamedTuple

from broker.callers.units import Lodging

SECONDS = 1.0
MOST = 64


class Seen(NamedTuple):
    """What `/proc` shows of a process."""

    ours: bool = False  # root of our own pid namespace; not looked at for anybody but root
    at: Lodging = Lodging()


class _Kept(NamedTuple):
    until: float
    seen: Seen
    ended: Callable[[int], list[tuple[int, int]]]  # asked with 0: empty while the process lives
    pidfd: int


class Recent:
    """Remembers what was seen of the callers of one listener within the last second; the longest known is forgotten first."""

    def __init__(self, now: Callable[[], float]) -> None:
        """`now` is CLOCK_BOOTTIME in seconds."""
        self.now = now
        # By pid, and whether it was looked at as root, of whom more is asked.
        self._kept: dict[tuple[int, bool], _Kept] = {}

    def recall(self, pid: int, uid: int) -> Seen | None:
        """What was seen of the living process that connects with this pid, as this uid; None: it must be looked at."""
        known = pid, uid == 0
        kept = self._kept.get(known)
        if kept is None:
            return None
        until, seen, ended, _ = kept
        if self.now() < until and not ended(0):
            return seen
        self._forget(known)
        return None

    def keep(self, pid: int, uid: int, seen: Seen, since: float, pidfd: int) -> None:
        """Remember what a look has shown that began then; the pidfd, of this very process, is ours from now on."""
        known = pid, uid == 0
        self._forget(known)
        while self._kept and (len(self._kept) >= MOST or next(iter(self._kept.values())).until <= since):
            self._forget(next(iter(self._kept)))
        self._kept[known] = _Kept(since + SECONDS, seen, watch(pidfd), pidfd)

    def close(self) -> None:
        """Forget all, and close what is held."""
        while self._kept:
            self._forget(next(iter(self._kept)))

    def _forget(self, known: tuple[int, bool]) -> None:
        kept = self._kept.pop(known, None)
        if kept is not None:
            os.close(kept.pidfd)


def watch(pidfd: int) -> Callable[[int], list[tuple[int, int]]]:
    """Tells at once, asked with 0, whether the process has ended: something then, nothing while it lives."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return poll.poll
