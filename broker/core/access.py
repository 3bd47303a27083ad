"""Who may do what, as values that fail closed: no rule, no access.

Evidence comes from `callers`; this file only judges it. It is asked before any identity is looked up, so that a name
that does not exist and one that is not granted answer alike.

- To *read* is to get the token. To *view* is to see the state; the broker's own uid and this host's root keep it.
- A listener may be limited to identities; nothing gives access to another one through it.
- With no grants at all, the owner's rule holds; with any, only they do.
- Each judgement says what decided it, for the audit and for `broker explain`: one implementation, so that none of them
  can tell something else than what is done.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

_Name = tuple[str, int | str]
_ANYONE: _Name = ("any", "")


@dataclass(frozen=True, slots=True)
class Workload:
    """A calling process, as far as the kernel proves it."""

    uid: int
    gid: int | None  # None: the way it came does not tell, as over TCP, or it stands for any group
    pid: int | None  # None: not told, as over TCP; 0: it lives in another pid namespace
    listener: str  # the socket's path, or host:port
    groups: frozenset[int] = frozenset()  # supplementary ones
    unit: str | None = None  # the system's unit that it runs in, as `app.service` or `user@1000.service`
    slices: frozenset[str] = frozenset()  # those around it, as `user-1000.slice`
    container: str | None = None  # its id, 64 hex digits; for people, no grant asks for it

    def names(self) -> Iterator[_Name]:
        """All by which a grant can mean it."""
        yield _ANYONE
        yield "user", self.uid
        if self.gid is not None:
            yield "group", self.gid
        yield from (("group", gid) for gid in self.groups)
        if self.unit is not None:
            yield "unit", self.unit
        yield from (("unit", each) for each in self.slices)


class Miss(StrEnum):
    """Why a grant gives a workload nothing."""

    LISTENER = "it does not hold on this listener"
    CALLER = "it does not name this caller"


@dataclass(frozen=True, slots=True)
class Grant:
    """A right to read one identity; what it does not name, it does not allow."""

    identity: str
    users: frozenset[int] = frozenset()
    groups: frozenset[int] = frozenset()
    units: frozenset[str] = frozenset()  # slices too
    listeners: frozenset[str] = frozenset()  # where it holds; empty: on all
    anyone: bool = False

    def misses(self, workload: Workload) -> Miss | None:
        """Why it does not give this workload the identity; None: it does."""
        if self.listeners and workload.listener not in self.listeners:
            return Miss.LISTENER
        if self.anyone:
            # Whoever reaches a listener may read only where the listener was named on purpose.
            return None if self.listeners else Miss.LISTENER
        its_groups = workload.groups if workload.gid is None else workload.groups | {workload.gid}
        its_units = workload.slices if workload.unit is None else workload.slices | {workload.unit}
        named = workload.uid in self.users or self.groups & its_groups or self.units & its_units
        return None if named else Miss.CALLER

    def names(self) -> Iterator[_Name]:
        """All of which a workload must have one, if this is to give it anything."""
        yield from (("user", uid) for uid in self.users)
        yield from (("group", gid) for gid in self.groups)
        yield from (("unit", unit) for unit in self.units)
        if self.anyone:
            yield _ANYONE


@dataclass(frozen=True, slots=True)
class Owner:
    """The broker's own uid, and root where root is this host's own.

    Root of another pid namespace, and any root when the broker itself lives in a container, is somebody else's root;
    a broker that runs as root takes such a root for itself only where both live in containers, as in one pod. Over TCP
    no pid is told, so a root that is not the broker's own uid must be granted there: a container on the host's network
    looks just like it.
    """

    uid: int
    in_container: bool

    def is_(self, workload: Workload) -> bool:
        """Whether the workload acts for whoever runs the broker."""
        foreign_root = workload.uid == 0 and workload.pid == 0 and not self.in_container
        if workload.uid == self.uid:
            return not foreign_root
        return workload.uid == 0 and bool(workload.pid) and not self.in_container


@dataclass(frozen=True, slots=True)
class Verdict:
    """A judgement, true when it allows."""

    allowed: bool
    by: str  # what decided: OWNER, `grants[2]`, NO_GRANT or LIMITED

    def __bool__(self) -> bool:
        return self.allowed


OWNER = "owner"
NO_GRANT = "no grant"
LIMITED = "the listener's identities"


@dataclass(frozen=True, slots=True)
class Policy:
    """Everything that decides on a request for an identity."""

    owner: Owner
    grants: tuple[Grant, ...] = ()
    limits: Mapping[str, frozenset[str]] = field(
        default_factory=dict
    )  # by listener; not there: all identities
    # The grants again, by what is asked: there may be thousands, and each connection asks.
    _of: Mapping[str, list[tuple[int, Grant]]] = field(init=False, repr=False, compare=False)
    _by_name: Mapping[_Name, list[Grant]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        of: dict[str, list[tuple[int, Grant]]] = {}
        by_name: dict[_Name, list[Grant]] = {}
        for place, grant in enumerate(self.grants):
            of.setdefault(grant.identity, []).append((place, grant))
            for name in grant.names():
                by_name.setdefault(name, []).append(grant)
        object.__setattr__(self, "_of", of)
        object.__setattr__(self, "_by_name", by_name)

    def may_read(self, workload: Workload, identity: str) -> Verdict:
        """Whether this workload may have the identity's token."""
        if not self._reaches(workload, identity):
            return Verdict(allowed=False, by=LIMITED)
        if not self.grants and self.owner.is_(workload):
            return Verdict(allowed=True, by=OWNER)
        for place, grant in self._of.get(identity, ()):
            if grant.misses(workload) is None:
                return Verdict(allowed=True, by=f"grants[{place}]")
        return Verdict(allowed=False, by=NO_GRANT)

    def may_view(self, workload: Workload, identity: str) -> Verdict:
        """Whether this workload may see the identity's state."""
        reads = self.may_read(workload, identity)
        if not reads and reads.by != LIMITED and self.owner.is_(workload):
            return Verdict(allowed=True, by=OWNER)
        return reads

    def reads_anything(self, workload: Workload) -> bool:
        """Whether there may be an identity whose token it gets; who gets none is a stranger to the broker."""
        if not self.grants and self.owner.is_(workload):
            return True
        return any(
            grant.misses(workload) is None and self._reaches(workload, grant.identity)
            for name in workload.names()
            for grant in self._by_name.get(name, ())
        )

    def _reaches(self, workload: Workload, identity: str) -> bool:
        limit = self.limits.get(workload.listener)
        return limit is None or identity in limit
