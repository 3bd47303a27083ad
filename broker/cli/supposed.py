"""A caller that is only supposed, judged on each listener by the daemon's own policy.

- What a listener would prove of it is made here as `callers` and `openings` make it of a real one: all of it on a Unix
  socket, over TCP the user alone, and nothing where the number stands for anybody.
- Permission is `Policy` and nothing else. What stands before and behind it in the daemon does so here too: a listener
  without tokens has no such route, who is not proven is nobody, and a name that is no identity is denied alike.
"""

import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from broker.core.access import NO_GRANT, Policy, Verdict, Workload
from broker.settings import Account, Listener, Settings, UnixListener

NO_TOKENS = "no tokens"
UNPROVEN = "proof"  # the audit's word for a caller whom the kernel does not prove
# The kernel tells no more supplementary groups than these; of a longer list `callers.unix` takes none.
MOST_GROUPS = 256
# Who is of the broker's pid namespace has some pid there; which one decides nothing.
_ANY_PID = 1


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """The uid that proves nobody and the gid that proves no group, see `callers.overflow`; None: all count."""

    uid: int | None = None
    gid: int | None = None


@dataclass(frozen=True, slots=True)
class Caller:
    """A process as somebody supposes it."""

    user: Account
    groups: tuple[
        Account, ...
    ] = ()  # the first is its own, the others are supplementary; none: no group counts
    unit: str | None = None
    slices: frozenset[str] = frozenset()
    elsewhere: bool = False  # in another pid namespace than the broker

    def at(self, listener: Listener, ambiguous: Ambiguous) -> Workload | None:
        """What that listener proves of it; None: nobody is proven."""
        uid, gids = self.user.number, [group.number for group in self.groups]
        if uid == ambiguous.uid:
            return None
        if not isinstance(listener, UnixListener):
            return Workload(uid=uid, gid=None, pid=None, listener=listener.label)
        supplementary = frozenset(gids[1:]) if len(gids) <= MOST_GROUPS + 1 else frozenset()
        return Workload(
            uid=uid,
            gid=gids[0] if gids and gids[0] != ambiguous.gid else None,
            pid=0 if self.elsewhere else _ANY_PID,
            listener=listener.label,
            groups=supplementary - {ambiguous.gid},
            unit=self.unit,
            slices=self.slices,
        )


@dataclass(frozen=True, slots=True)
class Judged:
    """What a request on one listener comes to."""

    listener: Listener
    workload: Workload | None  # None: nobody is proven there
    read: Verdict
    view: Verdict


@dataclass(frozen=True, slots=True)
class Question:
    """Whether this caller may read this identity."""

    settings: Settings
    policy: Policy
    caller: Caller
    identity: str
    ambiguous: Ambiguous

    def judged(self, listener: Listener) -> Judged:
        """The daemon's answer on one listener."""
        workload = self.caller.at(listener, self.ambiguous)
        if "tokens" not in listener.serve:
            read = view = Verdict(allowed=False, by=NO_TOKENS)
        elif workload is None:
            read = view = Verdict(allowed=False, by=UNPROVEN)
        else:
            read = self.policy.may_read(workload, self.identity)
            view = self.policy.may_view(workload, self.identity)
            if self.identity not in self.settings.identities:
                read, view = _absent(read), _absent(view)
        return Judged(listener, workload, read, view)


def _absent(verdict: Verdict) -> Verdict:
    return Verdict(allowed=False, by=NO_GRANT) if verdict else verdict


def slices_around(names: Iterable[str]) -> Iterator[str]:
    """Each slice and those that its name says it is in: `user-1000.slice` is in `user.slice`, see systemd.slice(5)."""
    for name in names:
        stem = name.removesuffix(".slice")
        while stem:
            yield f"{stem}.slice"
            stem = stem.rpartition("-")[0]


def socket_owner(settings: Settings) -> tuple[int, str] | None:
    """Who owns the first socket of the settings that is there, and its path: the broker that made it runs as this user."""
    for listener in settings.listen:
        if isinstance(listener, UnixListener):
            try:
                found = listener.unix.stat()
            except OSError:  # not there, or hidden
                continue
            if stat.S_ISSOCK(found.st_mode):
                return found.st_uid, listener.label
    return None
