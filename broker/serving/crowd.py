"""How many connections there may be: in all, and of one user, so that no local user can shut out the others.

Each connection is a descriptor; without a bound, whoever opens enough of them leaves none for IAM, and a token that could
have been renewed is lost.

- A user may have as many as are still free: one greedy user gets half, a second one half of the rest, and so on.
- Who may have no more takes the place of somebody who has more: of the user with most, the connection that has been idle
  for longest is closed. So a newcomer gets in, however many users share the house among them; one person can be
  thousands, by the subordinate uids of user namespaces. A request that is being handled is not idle.
- An eighth is kept for the owner, whose connections are closed for nobody: who runs the broker can always ask it.
- Those whom the kernel does not prove are one user. They may be many, as the probes and scrapers of other hosts, so they
  make room for each other too.
"""

import os
import resource
from collections import Counter
from collections.abc import Callable
from typing import Protocol

from broker.callers.container import in_container
from broker.core.access import Owner, Workload

MOST = 4096
# The other half of the descriptors is for IAM, key files and what is just being turned away.
_SHARE = 2
_OWNERS_SHARE = 8
_OWNERS_LEAST = 16
_OWNER = "the owner"

_User = int | str | None


class Guest(Protocol):
    """A connection as the crowd knows it."""

    caller: Workload | None

    def make_room(self) -> None: ...


class Crowd:
    """Counts connections by their user: the proven uid, None, or the owner, whether it comes as itself or as root."""

    def __init__(self, most: int | None = None, owns: Callable[[Workload], bool] | None = None) -> None:
        """`most` in all; by default as many as the limit on open files leaves room for. `owns` tells the owner."""
        self._most = _room() if most is None else most
        # Of a very small house it gets half.
        self._owners = min(max(_OWNERS_LEAST, self._most // _OWNERS_SHARE), self._most // 2)
        self._owns = owns or Owner(os.getuid(), in_container()).is_
        self._user_of: dict[Guest, _User] = {}
        self._had: Counter[_User] = Counter()
        # By user, whoever has been idle for longest first.
        self._idle: dict[_User, dict[Guest, None]] = {}

    @property
    def inside(self) -> int:
        """How many there are."""
        return len(self._user_of)

    def admits(self, caller: Workload | None) -> bool:
        """Whether one more of this caller may enter; somebody else may have to leave for it."""
        user = self._user(caller)
        most = self._most if user == _OWNER else self._most - self._owners
        return self._had[user] < most - self.inside or self._makes_room(user)

    def enter(self, guest: Guest) -> None:
        """Count one in who was admitted."""
        user = self._user_of[guest] = self._user(guest.caller)
        self._had[user] += 1
        self.rests(guest)

    def leave(self, guest: Guest) -> None:
        """Count one out, if it is in."""
        if guest not in self._user_of:
            return
        self.works(guest)
        user = self._user_of.pop(guest)
        self._had[user] -= 1
        if not self._had[user]:
            del self._had[user]

    def works(self, guest: Guest) -> None:
        """A request of this one is being handled."""
        user = self._user_of.get(guest)
        idle = self._idle.get(user, {})
        idle.pop(guest, None)
        if not idle:
            self._idle.pop(user, None)

    def rests(self, guest: Guest) -> None:
        """It is idle, from now on."""
        if guest in self._user_of:
            idle = self._idle.setdefault(self._user_of[guest], {})
            idle.pop(guest, None)  # so that it goes to the end of the order
            idle[guest] = None

    def _user(self, caller: Workload | None) -> _User:
        if caller is None:
            return None
        return _OWNER if self._owns(caller) else caller.uid

    def _makes_room(self, user: _User) -> bool:
        own = self._had[user]
        greedier = [one for one in self._idle if self._had[one] > own and one != _OWNER]
        if user is None and None in self._idle:
            greedier.append(None)
        if not greedier:
            return False
        guest = next(iter(self._idle[max(greedier, key=self._had.__getitem__)]))
        self.leave(guest)
        guest.make_room()
        return True


def _room() -> int:
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST if files == resource.RLIM_INFINITY else min(MOST, files // _SHARE)
