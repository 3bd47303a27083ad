"""How many connections there may be: in all, and of one user, so that no local user can shut out the others.

Each connection is a descriptor; without a bound, whoever opens enough of them leaves none for IAM, and a token that could
have been renewed is lost.

- There are three ranks: the owner, readers, whom the policy lets read some identity, and strangers: all others, and those
  whom the kernel does not prove. The rank is that of the moment of the connection.
- An eighth is kept for the owner, whose connections are closed for nobody: who runs the broker can always ask it.
- Strangers together have at most half of the rest, and what they have counts as free for everybody else. No connection
  of a reader is closed for a stranger: one person can be thousands of them, by the subordinate uids of user namespaces.
- A user may have as many as are still free: one greedy user gets half, a second one half of the rest, and so on.
- Who may have no more takes the place of somebody of its kind who has more: of the user with most, the connection that
  has been idle for longest is closed. A request that is being handled is not idle; one that waits for its turn is.
- Those whom the kernel does not prove are one user. They may be many, as the probes and scrapers of other hosts, so they
  make room for each other too.

What it cannot bound is the kernel's queue in front of the listener, which all callers share.
"""

import resource
from collections.abc import Callable

from broker.core.access import Workload
from broker.serving.row import Guest, Rank, Row, User

# So many descriptors stay free, or half of a few: for IAM, key files and what is just being turned away.
_KEPT_FREE = 2048
_OWNERS_SHARE = 8
_OWNERS_LEAST = 16
_STRANGERS_SHARE = 2

UNPROVEN = User(Rank.STRANGER)


class Crowd:
    """Counts connections by their user."""

    def __init__(
        self, most: int, owns: Callable[[Workload], bool], reads: Callable[[Workload], bool]
    ) -> None:
        """`most` in all; `owns` tells the owner, `reads` who may read an identity."""
        self._most = most
        # Of a very small house it gets half.
        self._others = most - min(max(_OWNERS_LEAST, most // _OWNERS_SHARE), most // 2)
        self._owns = owns
        self._reads = reads
        self._inside: set[Guest] = set()
        self._rows = {rank: Row() for rank in Rank}

    @property
    def inside(self) -> int:
        """How many there are."""
        return len(self._inside)

    def user(self, caller: Workload | None) -> User:
        """As whose the connections of this caller count."""
        if caller is None:
            return UNPROVEN
        if self._owns(caller):
            return User(Rank.OWNER)
        return User(Rank.READER if self._reads(caller) else Rank.STRANGER, caller.uid)

    def admits(self, user: User) -> bool:
        """Whether one more of this user may enter; somebody else may have to leave for it."""
        places = self._most if user.rank is Rank.OWNER else self._others
        strangers = self._rows[Rank.STRANGER].inside
        if user.rank is Rank.STRANGER:
            free = min(places - self.inside, places // _STRANGERS_SHARE - strangers)
        else:
            free = places - (self.inside - strangers)
        entitled = self._rows[user.rank].had[user] < free
        return (entitled and self.inside < places) or self._makes_room(user, entitled=entitled)

    def enter(self, guest: Guest) -> None:
        """Count one in who was admitted."""
        self._inside.add(guest)
        self._rows[guest.user.rank].enter(guest)

    def leave(self, guest: Guest) -> None:
        """Count one out, if it is in."""
        if guest in self._inside:
            self._inside.remove(guest)
            self._rows[guest.user.rank].leave(guest)

    def works(self, guest: Guest) -> None:
        """A request of this one is being handled."""
        if guest in self._inside:
            self._rows[guest.user.rank].works(guest)

    def rests(self, guest: Guest) -> None:
        """It is idle, from now on."""
        if guest in self._inside:
            self._rows[guest.user.rank].rests(guest)

    def _makes_room(self, user: User, *, entitled: bool) -> bool:
        greedier = self._greedier(user)
        if greedier is None and not entitled:
            return False
        stranger = None if user.rank is Rank.STRANGER else self._rows[Rank.STRANGER].of_greediest()
        guest = stranger or greedier
        if guest is None:
            return False
        self.leave(guest)
        guest.make_room()
        return True

    def _greedier(self, user: User) -> Guest | None:
        """Whose place this user may take by what each of its kind has; for the owner, readers are of its kind."""
        row = self._rows[Rank.STRANGER if user.rank is Rank.STRANGER else Rank.READER]
        guest = row.of_greediest()
        if guest is not None and row.had[guest.user] > self._rows[user.rank].had[user]:
            return guest
        return row.longest_idle(user) if user == UNPROVEN else None


def places(most: int) -> int:
    """How many connections there may be: so many, if the limit on open files leaves room for them."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return most if files == resource.RLIM_INFINITY else min(most, places_in(files))


def places_in(files: int) -> int:
    """How many connections so many open files leave room for."""
    return files - min(files // 2, _KEPT_FREE)
