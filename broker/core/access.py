"""Who may do what, as values that fail closed: no rule, no access.

Evidence comes from `callers`; this file only judges it. It is asked before any identity is looked up, so that a name
that does not exist and one that is not granted answer alike.

- To *read* is to get the token. To *view* is to see the state; the broker's own uid and this host's root keep it.
- A listener may be limited to identities; nothing gives access to another one through it.
- With no grants at all, the owner's rule holds; with any, only they do.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Workload:
    """A calling process, as far as the kernel proves it."""

    uid: int
    gid: int | None  # None: the way it came does not tell, as over TCP, or it stands for any group
    pid: int | None  # None: not told, as over TCP; 0: it lives in another pid namespace
    listener: str  # the socket's path, or host:port
    groups: frozenset[int] = frozenset()  # supplementary ones


@dataclass(frozen=True, slots=True)
class Grant:
    """A right to read one identity; what it does not name, it does not allow."""

    identity: str
    users: frozenset[int] = frozenset()
    groups: frozenset[int] = frozenset()
    listeners: frozenset[str] = frozenset()  # where it holds; empty: on all
    anyone: bool = False

    def allows(self, workload: Workload) -> bool:
        """Whether it gives this workload the identity."""
        if self.listeners and workload.listener not in self.listeners:
            return False
        if self.anyone:
            # Whoever reaches a listener may read only where the listener was named on purpose.
            return bool(self.listeners)
        its_groups = workload.groups if workload.gid is None else workload.groups | {workload.gid}
        return workload.uid in self.users or bool(self.groups & its_groups)


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
class Policy:
    """Everything that decides on a request for an identity."""

    owner: Owner
    grants: tuple[Grant, ...] = ()
    limits: Mapping[str, frozenset[str]] = field(
        default_factory=dict
    )  # by listener; not there: all identities

    def may_read(self, workload: Workload, identity: str) -> bool:
        """Whether this workload may have the identity's token."""
        if not self._reaches(workload, identity):
            return False
        if not self.grants:
            return self.owner.is_(workload)
        return any(grant.identity == identity and grant.allows(workload) for grant in self.grants)

    def may_view(self, workload: Workload, identity: str) -> bool:
        """Whether this workload may see the identity's state."""
        return self.may_read(workload, identity) or (
            self._reaches(workload, identity) and self.owner.is_(workload)
        )

    def _reaches(self, workload: Workload, identity: str) -> bool:
        limit = self.limits.get(workload.listener)
        return limit is None or identity in limit
