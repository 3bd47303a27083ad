"""Why a caller may read an identity or not, in words for people; the judgement itself is made elsewhere."""

from collections.abc import Iterator
from dataclasses import dataclass

from broker.cli.supposed import NO_TOKENS, Judged, Question
from broker.cli.whom import whom
from broker.core.access import LIMITED, OWNER, Miss, Owner, Workload
from broker.settings import Grant


@dataclass(frozen=True, slots=True)
class Look:
    """How one grant of the identity looks at the caller."""

    place: str  # as `grants[2]`
    gives: bool
    why: str


def sentence(question: Question, judged: Judged) -> str:
    """Allowed or denied, where, and by what."""
    user, identity = question.caller.user, question.identity
    who = f"{'user' if user.name else 'uid'} {user}"
    # What is no name may hold what a terminal would act on.
    name = identity if identity in question.settings.identities else repr(identity)
    what = f"read {name} on {judged.listener.label}"
    if judged.read:
        return f"allowed: {who} may {what}, {_allowed(question, judged)}"
    return f"denied: {who} may not {what}, {_denied(question, judged)}"


def looks(question: Question, judged: Judged) -> Iterator[Look]:
    """Each grant of the identity; none where nobody is proven, or no tokens are served."""
    workload = judged.workload
    if workload is None or judged.read.by == NO_TOKENS:
        return
    for place, grant in enumerate(question.settings.grants):
        if grant.identity == question.identity:
            miss = question.policy.grants[place].misses(workload)
            why = _found(grant, workload) if miss is None else _missed(grant, workload, miss)
            yield Look(f"grants[{place}]", miss is None, why)


def _allowed(question: Question, judged: Judged) -> str:
    if judged.read.by == OWNER:
        own = question.caller.user.number == question.policy.owner.uid
        who = "the broker's own user" if own else "root of this host"
        return f"as {who} may where there are no grants"
    found = next(look for look in looks(question, judged) if look.place == judged.read.by)
    return f"by {found.place} ({found.why})"


def _denied(question: Question, judged: Judged) -> str:
    """In the order in which the daemon finds out."""
    settings, identity = question.settings, question.identity
    if judged.read.by == NO_TOKENS:
        return f"for there is {' and '.join(judged.listener.serve)} alone"
    if judged.workload is None:
        return (
            "for this number stands for every user whom the broker's user namespace lacks, and proves none; "
            "the daemon answers caller_unknown"
        )
    if identity not in settings.identities:
        return "for there is no such identity; the daemon answers access_denied, as where there is one and no grant"
    if judged.read.by == LIMITED:
        return f"for that listener gives {', '.join(judged.listener.identities or ())} alone, whatever is granted"
    if not settings.grants:
        return f"for there are no grants, and {_not_the_owner(question.policy.owner, judged.workload)}"
    if all(grant.identity != identity for grant in settings.grants):
        return "for no grant is one of this identity"
    return "for no grant of this identity fits"


def _not_the_owner(owner: Owner, workload: Workload) -> str:
    if workload.uid != 0:
        return f"without them the broker's own user ({owner.uid}) and root of this host read, and nobody else"
    if workload.pid is None and owner.uid != 0:
        return "over TCP root of this host is not to be told from that of a container"
    if owner.in_container:
        return "root is not the host's where the broker is in a container"
    return "root of another pid namespace is not this host's"


def _missed(grant: Grant, workload: Workload, miss: Miss) -> str:
    if miss is Miss.LISTENER:
        return f"{miss}, but on {' and '.join(grant.listeners)}"
    told = f"{miss}, but {whom(grant.users, grant.groups, grant.units)}"
    if workload.pid is None and (grant.groups or grant.units):
        return f"{told}; over TCP only the user is proven"
    slices = [unit for unit in grant.units if unit.endswith(".slice")]
    if workload.unit and slices:
        return f"{told}; if {workload.unit} is in {slices[0]}, say so by another --unit"
    return told


def _found(grant: Grant, workload: Workload) -> str:
    """What of a grant names this caller."""
    if grant.any:
        return f"whoever connects on {' or '.join(grant.listeners)}"
    groups = {workload.gid, *workload.groups}
    units = {workload.unit, *workload.slices}
    return whom(
        [user for user in grant.users if user.number == workload.uid],
        [group for group in grant.groups if group.number in groups],
        [unit for unit in grant.units if unit in units],
    )
