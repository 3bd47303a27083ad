"""What would let a caller read an identity that it may read nowhere: the least that has to be written, as lines."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace

from broker.cli.supposed import NO_TOKENS, Judged, Question
from broker.core.access import LIMITED


def remedies(question: Question, answers: Sequence[Judged]) -> Iterator[str]:
    """None where one of the listeners lets it, nor for one without tokens: that may be the purpose of it."""
    settings, identity = question.settings, question.identity
    denied = [judged for judged in answers if judged.read.by != NO_TOKENS]
    if not denied or any(judged.read for judged in denied):
        return
    if any(judged.workload is None for judged in denied):
        yield "Run the broker where every user is mapped, as in the host's own user namespace."
        return
    if identity not in settings.identities:
        yield f"Ask for one of these: {', '.join(settings.identities)}; or add [identities.NAME]."
        return
    # Who may do without a limited listener is better off: the limit is there for a reason.
    free = [judged for judged in denied if judged.read.by != LIMITED]
    if not free:
        labels = " or ".join(judged.listener.label for judged in denied)
        yield f"Add {json.dumps(identity)} to `identities` of the listener {labels}, or ask on another one."
    unlimited = replace(question, policy=replace(question.policy, limits={}))
    lacking = [judged for judged in free or denied if not unlimited.judged(judged.listener).read]
    if lacking:
        yield from _grant(question, [judged.listener.label for judged in lacking])


def _grant(question: Question, lacking: Sequence[str]) -> Iterator[str]:
    """The smallest: to the user; and unless all listeners were asked about, on these alone."""
    settings, user, identity = question.settings, question.caller.user, question.identity
    yield "Add this grant:"
    yield "  [[grants]]"
    yield f"  identity = {json.dumps(identity)}"
    yield f"  users = [{json.dumps(user.name or user.number)}]"
    reached = {
        listener.label
        for listener in settings.listen
        if "tokens" in listener.serve and identity in (listener.identities or settings.identities)
    }
    # Only the open socket knows which port 0 became, so that no grant may name it.
    if not reached <= {*lacking} and not any(label.endswith(":0") for label in lacking):
        yield f"  listeners = {json.dumps(lacking)}"
    if not settings.grants:
        yield "From the first grant on, the broker's own user and root see the state, and read only if granted to."
    if user.number == 0:
        yield "It lets in root of any container that reaches the listener, too; better be another user."
