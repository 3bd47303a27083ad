"""What workloads read, as plain values: pure functions of a lease and a moment."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from broker.core import lease
from broker.core.errors import CODE_OF_FAULT
from broker.core.lease import Lease
from broker.core.model import Held, Named
from broker.core.timing import Phase

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


def state(kept: Lease, now: float) -> str:
    """One word for people: the phase of what is held, or that nothing is."""
    phase = lease.phase(kept, now)
    return "empty" if phase is Phase.EXPIRED else phase.name.lower()


def degraded(kept: Lease) -> list[str]:
    """Why this identity is not in order, in the words of INTERFACE section 4."""
    trouble = kept.trouble
    return [] if trouble is None or trouble.count == 0 else [CODE_OF_FAULT[trouble.fault].value]


def remaining(kept: Lease, now: float) -> float | None:
    """Seconds for which the token may still be served; None when there is none."""
    held = lease.servable(kept, now)
    return None if held is None else held.span.deadline - now


def key_remaining(kept: Lease, wall: datetime) -> float | None:
    """Seconds until the access key itself ends; None where IAM does not tell."""
    end = kept.held and kept.held.token.key_expires_at
    if not end:
        return None
    when = datetime.fromisoformat(end)
    return ((when if when.tzinfo else when.replace(tzinfo=UTC)) - wall).total_seconds()


def identity(kept: Lease, key: str, now: float, wall: datetime) -> Json:
    """All that may be known of an identity; no secret."""
    at = _moment(now, wall)
    held = lease.servable(kept, now)
    shown = None if held is None else held.token
    return {
        "identity": kept.identity,
        "state": state(kept, now),
        "degraded": degraded(kept),
        "stale": lease.stale(kept, now),
        "issued_at": shown and shown.issued_at,
        "expires_at": shown and shown.expires_at,
        "expires_in": None if held is None else max(0, int(held.span.deadline - now)),
        "project": shown and named(shown.project),
        "user": shown and named(shown.user),
        "roles": [] if shown is None else [role.name for role in shown.roles],
        "key": key,
        "key_expires_at": shown and shown.key_expires_at,
        "last_fault": _fault(kept, at),
        "next_try": at(lease.next_issue(kept, now)),
    }


def _fault(kept: Lease, at: Callable[[float], str]) -> Json | None:
    trouble = kept.trouble
    if trouble is None or trouble.count == 0:
        return None
    return {
        "fault": trouble.fault.value,
        "code": CODE_OF_FAULT[trouble.fault].value,
        "detail": trouble.detail,
        "since": at(trouble.since),
        "count": trouble.count,
    }


def _moment(now: float, wall: datetime) -> Callable[[float], str]:
    """From the broker's clock to the wall's, for display."""

    def at(moment: float) -> str:
        return (wall + timedelta(seconds=moment - now)).strftime("%Y-%m-%dT%H:%M:%SZ")

    return at
