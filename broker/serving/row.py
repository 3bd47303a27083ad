"""The connections of one rank, by their users: how many each has, which are idle, and who has most.

Who floods comes thousands of times a second and as thousands of users, so nothing here looks through all of them.
"""

from collections import Counter
from enum import StrEnum
from typing import NamedTuple, Protocol


class Rank(StrEnum):
    """What a caller is to the broker."""

    STRANGER = "stranger"
    READER = "reader"
    OWNER = "owner"


class User(NamedTuple):
    """Whose connections are counted together."""

    rank: Rank
    uid: int | None = (
        None  # None: the owner, whether it comes as itself or as root, or those who are not proven
    )


class Guest(Protocol):
    """A connection as the crowd knows it."""

    user: User
    used: bool  # since the row last looked, if nobody told it

    def make_room(self) -> None: ...


class Row:
    """Counts guests of users who are all of one rank."""

    def __init__(self) -> None:
        self.inside = 0
        self.had: Counter[User] = Counter()
        # By user, whoever has been idle for longest first.
        self._idle: dict[User, dict[Guest, None]] = {}
        # Users with idle ones, by how many they have in all.
        self._at: dict[int, dict[User, None]] = {}

    def enter(self, guest: Guest) -> None:
        """Count one in, which is idle at first."""
        self._take_out(guest.user)
        self.inside += 1
        self.had[guest.user] += 1
        self._put_in(guest.user)
        self.rests(guest)

    def leave(self, guest: Guest) -> None:
        """Count one out who is in."""
        self.works(guest)
        self._take_out(guest.user)
        self.inside -= 1
        self.had[guest.user] -= 1
        self._put_in(guest.user)
        if not self.had[guest.user]:
            del self.had[guest.user]

    def works(self, guest: Guest) -> None:
        """It is not idle."""
        idle = self._idle.get(guest.user, {})
        idle.pop(guest, None)
        if not idle:
            self._take_out(guest.user)
            self._idle.pop(guest.user, None)

    def rests(self, guest: Guest) -> None:
        """It is idle, from now on."""
        idle = self._idle.setdefault(guest.user, {})
        idle.pop(guest, None)  # so that it goes to the end of the order
        idle[guest] = None
        self._put_in(guest.user)

    def longest_idle(self, user: User) -> Guest | None:
        """Whose connection of this user has been idle for longest; one that was used meanwhile goes to the end."""
        idle = self._idle.get(user, {})
        while idle and (guest := next(iter(idle))).used:
            guest.used = False
            self.rests(guest)
        return next(iter(idle), None)

    def of_greediest(self) -> Guest | None:
        """The same of the user who has most, of those with an idle one."""
        return self.longest_idle(next(iter(self._at[max(self._at)]))) if self._at else None

    def _put_in(self, user: User) -> None:
        if user in self._idle:
            self._at.setdefault(self.had[user], {})[user] = None

    def _take_out(self, user: User) -> None:
        users = self._at.get(self.had[user], {})
        users.pop(user, None)
        if not users:
            self._at.pop(self.had[user], None)
