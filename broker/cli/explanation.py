"""An answered question: lines for people, a tree for programs."""

import stat
from collections.abc import Iterator, Sequence

from broker.cli.reasons import looks, sentence
from broker.cli.remedies import remedies
from broker.cli.supposed import Judged, Question
from broker.settings import UnixListener


def lines(question: Question, answers: Sequence[Judged], whose: str) -> Iterator[str]:
    """Each listener, what would mend it, and what was supposed; `whose` says how the broker's user is known."""
    if not answers:
        yield "denied: no listener serves tokens"
    for judged in answers:
        yield sentence(question, judged)
        if judged.view and not judged.read:
            yield "  it may see the state all the same"
        if judged.read and isinstance(judged.listener, UnixListener):
            yield from _door(judged.listener)
        for look in looks(question, judged):
            if not look.gives:
                yield f"  {look.place}: {look.why}"
            elif look.place != judged.read.by:
                yield f"  {look.place}: it {'gives it too' if judged.read else 'would give it'} ({look.why})"
    yield from remedies(question, answers)
    yield from _supposed(question, whose)
    if any(judged.listener.is_tcp for judged in answers):
        yield "Over TCP only the user is proven."


def _door(listener: UnixListener) -> Iterator[str]:
    """A socket that is not open to all: there the kernel refuses to connect, and no grant helps."""
    if not listener.mode & stat.S_IWOTH:
        group = f" and group {listener.group}" if listener.group else ""
        yield f"  if it may connect at all, for the socket has mode {listener.mode:04o}{group}"


def _supposed(question: Question, whose: str) -> Iterator[str]:
    caller, owner = question.caller, question.policy.owner
    groups = f"group{'s' * (len(caller.groups) > 1)} {', '.join(map(str, caller.groups))}"
    units = ", ".join(([caller.unit] if caller.unit else []) + sorted(caller.slices))
    where = "another pid namespace than" if caller.elsewhere else "the pid namespace of"
    yield f"Supposed: a caller of {groups if caller.groups else 'no group'}, in {units or 'no unit'}, in {where} the broker."
    if caller.elsewhere and units:
        yield "Its unit is proven where that namespace is below the broker's, as a container's on the same host is."
    container = "a container" if owner.in_container else "no container"
    yield f"Supposed: a broker that runs as uid {owner.uid} ({whose}), in {container}."


def tree(question: Question, answers: Sequence[Judged]) -> dict[str, object]:
    """What JSON has of it."""
    caller, owner = question.caller, question.policy.owner
    return {
        "allowed": any(judged.read for judged in answers),
        "view": any(judged.view for judged in answers),
        "identity": question.identity,
        "exists": question.identity in question.settings.identities,
        "caller": {
            "uid": caller.user.number,
            "gids": [group.number for group in caller.groups],
            "unit": caller.unit,
            "slices": sorted(caller.slices),
            "other_pid_namespace": caller.elsewhere,
        },
        "broker": {"uid": owner.uid, "in_container": owner.in_container},
        "listeners": [_branch(question, judged) for judged in answers],
        "remedy": [*remedies(question, answers)],
    }


def _branch(question: Question, judged: Judged) -> dict[str, object]:
    return {
        "listener": judged.listener.label,
        "identity": question.identity,
        "allowed": judged.read.allowed,
        "by": judged.read.by,
        "view": judged.view.allowed,
        "view_by": judged.view.by,
        "sentence": sentence(question, judged),
        "grants": [
            {"grant": look.place, "gives": look.gives, "why": look.why} for look in looks(question, judged)
        ],
    }
