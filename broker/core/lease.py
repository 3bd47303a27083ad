"""The lease: the broker's hold on one identity's token, as a table of states and moves.

The rules, by the names that DESIGN gives them; the tests name them too:

- L1  `servable` is the only way to a token: nothing at or after its deadline, nothing known to be dead.
- L2  No fault takes a good token away; `stale` says that a due refresh has failed.
- L3  An issue is in flight exactly in ISSUING and RENEWING, and STARTED is legal in neither.
- L6  STARTED spends the budget; `next_issue` never lies before the budget or the backoff allows.
- L8  A refused validation is a death only where its method is evidence; changed roles ask for a new token.
- L9  A report of another token than the held one changes nothing.
- L10 A new key is settled by the token it brings; one of another project never is.
- L11 An answer for a key that is gone is DROPPED: it can neither bring a token nor a fault.

A lease is one frozen value, swapped whole by `apply` (see `happening`); `decide` says what to do next. Neither knows a
clock, a task or a key: the keeper has those, and starts and ends flights as the states say.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, StrEnum, auto

from broker.core import budget, keys, watch
from broker.core.budget import Bucket
from broker.core.errors import Fault
from broker.core.keys import KeyRecord, Keys
from broker.core.model import Held, Named
from broker.core.reports import Reports
from broker.core.timing import Phase
from broker.core.trouble import Trouble
from broker.core.watch import Watch

# A trial that nobody waits for leaves so much of the budget to a token that somebody will.
TRIAL_RESERVE = 2


class State(StrEnum):
    """What is held, and whether IAM is being asked for a token."""

    EMPTY = "empty"
    ISSUING = "issuing"
    HELD = "held"
    RENEWING = "renewing"


class Move(Enum):
    """What can happen to a lease."""

    STARTED = auto()  # an issue request leaves
    ISSUED = auto()  # it brought a token
    PROVEN = auto()  # it brought a token that is not needed: its key is good
    FAILED = auto()  # it brought a fault
    DROPPED = auto()  # it came back for a key that is not wanted any more
    EXPIRED = auto()  # the held token reached its deadline
    DIED = auto()  # the held token is known to be dead before it


MOVES: dict[State, dict[Move, State]] = {
    State.EMPTY: {
        Move.STARTED: State.ISSUING,
    },
    State.ISSUING: {
        Move.ISSUED: State.HELD,
        Move.FAILED: State.EMPTY,
        Move.DROPPED: State.EMPTY,
    },
    State.HELD: {
        Move.STARTED: State.RENEWING,
        Move.EXPIRED: State.EMPTY,
        Move.DIED: State.EMPTY,
    },
    State.RENEWING: {
        Move.ISSUED: State.HELD,
        Move.PROVEN: State.HELD,
        Move.FAILED: State.HELD,
        Move.DROPPED: State.HELD,
        Move.EXPIRED: State.ISSUING,
        Move.DIED: State.ISSUING,
    },
}


class IllegalMove(Exception):
    """A move that the table does not have: a defect of the caller, never of the world."""


@dataclass(frozen=True, slots=True)
class Lease:
    """One identity's hold, at one moment."""

    identity: str
    state: State
    bucket: Bucket
    keys: Keys
    watch: Watch
    reports: Reports = field(default_factory=Reports)
    held: Held | None = None
    trouble: Trouble | None = None
    lifetime: float | None = None  # of the last token: the pace for the next
    wanted: bool = False  # a new token, though the one at hand is good
    wanted_at: float = 0.0
    using: int | None = None  # generation of the key that the token at hand came with
    project: str | None = None  # id; every token must be of it
    roles: tuple[Named, ...] = ()  # all that a token of this identity has had
    lost: tuple[Named, ...] = ()  # those of them that it has no more
    rejected: tuple[str, ...] = ()  # digests of tokens that were found dead, the latest last


class Action(Enum):
    """What a keeper should do now."""

    REST = auto()
    ISSUE = auto()
    EXPIRE = auto()


def new(
    identity: str, now: float, known: Keys, over: Watch | None = None, bucket: Bucket | None = None
) -> Lease:
    """A lease that holds nothing yet; `known` are its access keys, `bucket` what is left of its budget."""
    bucket = bucket or Bucket.full(budget.ISSUE_BURST, now)
    return Lease(identity, State.EMPTY, bucket, known, over or watch.new(now))


def remembering(empty: Lease, evidence: Mapping[str, frozenset[str]], rejected: tuple[str, ...]) -> Lease:
    """A new lease that knows what was proven, and which tokens are dead, before a restart."""
    return replace(empty, watch=watch.remembering(empty.watch, evidence), rejected=rejected)


def restored(empty: Lease, held: Held, key: str, now: float) -> Lease:
    """A new lease with the token that survived a restart; it is validated as soon as IAM answers (L13)."""
    token = held.token
    watched = watch.renewed(empty.watch, now, key, 0.0, access_rules=token.access_rules)
    return replace(
        empty,
        state=State.HELD,
        held=held,
        using=next((record.generation for record in keys.preferred(empty.keys) if record.ref == key), None),
        lifetime=held.span.lifetime,
        project=token.project.id,
        roles=token.roles,
        watch=watch.hurried(watched, now),
    )


def phase(lease: Lease, now: float) -> Phase:
    """The phase of what is held; holding nothing is as urgent as an expired token."""
    return Phase.EXPIRED if lease.held is None else lease.held.span.phase(now)


def servable(lease: Lease, now: float) -> Held | None:
    """The token that may be handed out at `now`, if there is one."""
    return lease.held if phase(lease, now) < Phase.EXPIRED else None


def stale(lease: Lease, now: float) -> bool:
    """Whether the token that is handed out was due to be replaced, and that has failed."""
    return lease.trouble is not None and Phase.DUE <= phase(lease, now) < Phase.EXPIRED


def in_flight(lease: Lease) -> bool:
    """Whether IAM is being asked for a token."""
    return lease.state in {State.ISSUING, State.RENEWING}


def enough(held: Held, now: float, min_ttl: float) -> bool:
    """Whether a token has at least so many seconds to live."""
    return held.span.deadline - now >= min_ttl


def attainable(held: Held, min_ttl: float) -> bool:
    """Whether a caller may ask for so much life: with more than half of it, every request would need a new token."""
    return min_ttl <= held.span.lifetime / 2


def decide(lease: Lease, now: float, min_ttl: float = 0.0) -> Action:
    """What should be done at `now`; asking twice without acting gives the same answer.

    A caller who asks for `min_ttl` seconds of life has the refresh come early, if that is attainable.
    """
    if lease.held is not None and phase(lease, now) is Phase.EXPIRED:
        return Action.EXPIRE
    return Action.REST if key_to_ask(lease, now, min_ttl) is None else Action.ISSUE


def key_to_ask(lease: Lease, now: float, min_ttl: float = 0.0) -> KeyRecord | None:
    """The key with which IAM should be asked for a token at `now`; None: it should not be asked."""
    if in_flight(lease):
        return None
    if _needed_at(lease, now, min_ttl) <= now:
        ready = next_issue(lease, now, min_ttl) <= now
        return keys.to_issue(lease.keys, now, lively=_lively(lease, now)) if ready else None
    if _allowed_at(lease, now, TRIAL_RESERVE) > now:
        return None
    return keys.to_try(lease.keys, now, lease.using)


def next_issue(lease: Lease, now: float, min_ttl: float = 0.0) -> float:
    """When IAM will be asked for a token: once one is due, a key may be asked, and backoff and budget allow."""
    if (key := keys.ready_at(lease.keys, now, lively=_lively(lease, now))) < keys.NEVER:
        return max(_needed_at(lease, now, min_ttl), key, _allowed_at(lease, now))
    # What is at hand ends with its key: IAM is asked again when it has ended.
    end = now if lease.held is None else max(now, lease.held.span.deadline)
    return max(end, keys.ready_at(lease.keys, end, lively=False), _allowed_at(lease, now))


def next_check(lease: Lease, now: float) -> float:
    """When the held token is validated next; NEVER where nothing is held, or it cannot be."""
    return watch.NEVER if servable(lease, now) is None else watch.next_check(lease.watch, now)


def _needed_at(lease: Lease, now: float, min_ttl: float) -> float:
    held = lease.held
    if held is None or lease.wanted:
        return now
    early = attainable(held, min_ttl) and not enough(held, now, min_ttl)
    return now if early else max(now, held.span.due_at)


def _allowed_at(lease: Lease, now: float, spare: float = 0.0) -> float:
    ready = lease.bucket.ready_at(now, budget.pace(lease.lifetime), spare)
    # A rejection is its key's trouble and waits there.
    if lease.trouble is None or lease.trouble.fault is Fault.REJECTED:
        return ready
    return max(ready, lease.trouble.next_try)


def _lively(lease: Lease, now: float) -> bool:
    return not lease.wanted and servable(lease, now) is not None
