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
        user = guest.user
        had = self.had.get(user, 0)
        idle = self._idle.get(user)
        if idle is None:
            idle = self._idle[user] = {}
        else:
            self._take_out(user, had)
        idle[guest] = None
        self.inside += 1
        self.had[user] = had + 1
        self._put_in(user, had + 1)

    def leave(self, guest: Guest) -> None:
        """Count one out who is in."""
        user = guest.user
        had = self.had[user]
        idle = self._idle.get(user)
        if idle is not None:
            self._take_out(user, had)
            idle.pop(guest, None)
            if idle:
                self._put_in(user, had - 1)
            else:
                del self._idle[user]
        self.inside -= 1
        self.had[user] = had - 1
        if had == 1:
            del self.had[user]

    def works(self, guest: Guest) -> None:
        """It is not idle."""
        user = guest.user
        idle = self._idle.get(user)
        if idle is not None:
            idle.pop(guest, None)
            if not idle:
                self._take_out(user, self.had[user])
                del self._idle[user]

    def rests(self, guest: Guest) -> None:
        """It is idle, from now on."""
        user = guest.user
        idle = self._idle.get(user)
        if idle is None:
            idle = self._idle[user] = {}
            self._put_in(user, self.had[user])
        idle.pop(guest, None)  # so that it goes to the end of the order
        idle[guest] = None

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

    def _put_in(self, user: User, had: int) -> None:
        users = self._at.get(had)
        if users is None:
            users = self._at[had] = {}
        users[user] = None

    def _take_out(self, user: User, had: int) -> None:
        users = self._at[had]
        del users[user]
        if not users:
            del self._at[had]
