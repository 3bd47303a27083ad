"""What workloads read of a token and of its lease, as plain values."""

import json
from datetime import datetime

from broker.core import lease, watch
from broker.core.errors import CODE_OF_FAULT
from broker.core.lease import Lease
from broker.core.model import Held, Named
from broker.core.timing import Phase
from broker.core.trouble import Trouble
from broker.keeper import tending
from broker.keeper.keeper import Keeper
from broker.serving import keys, moments
from broker.serving.moments import At
from broker.serving.sentences import sentence

Json = dict[str, object]


def named(thing: Named) -> Json:
    """A user or a project."""
    return {"id": thing.id, "name": thing.name}


def token(identity: str, held: Held, now: float, *, stale: bool) -> Json:
    """The token answer of INTERFACE section 4."""
    shown = held.token
    return {
        "identity": identity,
        "token": shown.value.reveal(),
        "issued_at": shown.issued_at,
        "expires_at": shown.expires_at,
        "expires_in": max(0, int(held.span.deadline - now)),
        "stale": stale,
        "project": named(shown.project),
        "user": named(shown.user),
        "roles": [role.name for role in shown.roles],
        "key_expires_at": shown.key_expires_at,
    }


def body(identity: str, held: Held, now: float, *, stale: bool, bare: bool) -> str:
    """What is sent: the token alone, or the answer as JSON."""
    return held.token.value.reveal() if bare else json.dumps(token(identity, held, now, stale=stale))


def state(kept: Lease, now: float) -> str:
    """One word for people: the phase of what is held, or that nothing is."""
    phase = lease.phase(kept, now)
    return "empty" if phase is Phase.EXPIRED else phase.name.lower()


def remaining(kept: Lease, now: float) -> float | None:
    """Seconds for which the token may still be served; None when there is none."""
    held = lease.servable(kept, now)
    return None if held is None else held.span.deadline - now


def degraded(keeper: Keeper) -> Json:
    """Why this identity is not in order, in the words of INTERFACE section 4, and a sentence for each."""
    reasons = tending.reasons(keeper)
    return {
        "degraded": [reason.value for reason in reasons],
        "reasons": [{"code": reason.value, "detail": sentence(keeper, reason)} for reason in reasons],
    }


def identity(keeper: Keeper, now: float, wall: datetime) -> Json:
    """All that may be known of an identity; no secret."""
    kept, at = keeper.lease, moments.clock_to_wall(now, wall)
    held = lease.servable(kept, now)
    shown = None if held is None else held.token
    return {
        "identity": kept.identity,
        "state": state(kept, now),
        **degraded(keeper),
        "stale": lease.stale(kept, now),
        "issued_at": shown and shown.issued_at,
        "expires_at": shown and shown.expires_at,
        "expires_in": None if held is None else max(0, int(held.span.deadline - now)),
        "project": shown and named(shown.project),
        "user": shown and named(shown.user),
        "roles": [] if shown is None else [role.name for role in shown.roles],
        "lost_roles": [role.name for role in kept.lost],
        **keys.shown(keeper, shown),
        "validation": _validation(kept, now, at),
        "last_fault": _fault(kept.trouble, at),
        "next_try": at(lease.next_issue(kept, now)),
    }


def _validation(kept: Lease, now: float, at: At) -> Json:
    by = watch.method(kept.watch)
    return {
        "method": by and by.value,
        "next": at(lease.next_check(kept, now)),
        "last_fault": _fault(kept.watch.trouble, at),
    }


def _fault(trouble: Trouble | None, at: At) -> Json | None:
    if trouble is None or trouble.count == 0:
        return None
    return {
        "fault": trouble.fault.value,
        "code": CODE_OF_FAULT[trouble.fault].value,
        "detail": trouble.detail,
        "since": at(trouble.since),
        "count": trouble.count,
    }
