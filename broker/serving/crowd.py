"""How many connections there may be: in all, and of one user, so that no local user can shut out the others.

Each connection is a descriptor; without a bound, whoever opens enough of them leaves none for IAM, and a token that could
have been renewed is lost.

A user may have as many as are still free: one greedy user gets half, a second one half of the rest, and so on, so that
some are left for who has none, even when several users act together.
"""

import resource
from collections import Counter

MOST = 4096
# The other half of the descriptors is for IAM, key files and what is just being turned away.
_SHARE = 2


class Crowd:
    """Counts connections by the proven uid of their caller; None is one more uid."""

    def __init__(self, most: int | None = None) -> None:
        """`most` in all; by default as many as the limit on open files leaves room for."""
        self._most = most or _room()
        self._of: Counter[int | None] = Counter()

    def enter(self, uid: int | None) -> bool:
        """Count one in; False, and not counted, where there are too many."""
        if self._of[uid] >= self._most - self._of.total():
            return False
        self._of[uid] += 1
        return True

    def leave(self, uid: int | None) -> None:
        """Count one out."""
        self._of[uid] -= 1
        if not self._of[uid]:
            del self._of[uid]


def _room() -> int:
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST if files == resource.RLIM_INFINITY else min(MOST, files // _SHARE)
