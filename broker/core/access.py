"""Who may do what, as values that fail closed: no rule, no access.

Evidence comes from `callers`; this file only judges it. It is asked before any identity is looked up, so that a name
that does not exist and one that is not granted answer alike.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Workload:
    """A calling process, as far as the kernel proves it."""

    uid: int
    gid: int
    pid: int  # 0: it lives in another pid namespace, so nothing more can be learned of it
    listener: str


@dataclass(frozen=True, slots=True)
class OwnerOnly:
    """The policy without grants: the broker's own uid, and root where root is this host's own.

    Root in another pid namespace, or any root when the broker itself lives in a container, is somebody else's root.
    """

    uid: int
    in_container: bool

    def may_read(self, workload: Workload, identity: str) -> bool:
        """Whether this workload may have the identity's token."""
        del identity  # without grants all identities are alike
        if workload.uid == self.uid:
            return True
        return workload.uid == 0 and workload.pid != 0 and not self.in_container
