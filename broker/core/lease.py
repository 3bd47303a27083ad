"""The lease: the broker's hold on one identity's token, as a table of states and moves.

The rules, by the names that DESIGN gives them; the tests name them too:

- L1  `servable` is the only way to a token: nothing at or after its deadline, nothing known to be dead.
- L2  No fault takes a good token away; `stale` says that a due refresh has failed.
- L3  An issue is in flight exactly in ISSUING and RENEWING, and STARTED is legal in neither.
- L6  STARTED spends the budget; `next_try` never lies before the budget or the backoff allows.
- L11 An answer for another generation is DROPPED: it can neither bring a token nor a fault.

A lease is one frozen value, swapped whole by `apply`; `decide` says what to do next. Neither knows a clock, a task or a
key: the keeper has those, and starts and ends flights as the states say.
"""

from dataclasses import dataclass, replace
from enum import Enum, StrEnum, auto

from broker.core import budget
from broker.core.budget import Bucket
from broker.core.errors import Fault
from broker.core.events import Died, Event, Expired, Failed, Issued, KeyChanged, Started
from broker.core.model import Held
from broker.core.timing import Phase


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
    FAILED = auto()  # it brought a fault
    DROPPED = auto()  # it brought an answer for a superseded key
    KEY_CHANGED = auto()  # the identity has another access key from now on
    EXPIRED = auto()  # the held token reached its deadline
    DIED = auto()  # the held token is known to be dead before it


MOVES: dict[State, dict[Move, State]] = {
    State.EMPTY: {
        Move.STARTED: State.ISSUING,
        Move.KEY_CHANGED: State.EMPTY,
    },
    State.ISSUING: {
        Move.ISSUED: State.HELD,
        Move.FAILED: State.EMPTY,
        Move.DROPPED: State.EMPTY,
        Move.KEY_CHANGED: State.ISSUING,
    },
    State.HELD: {
        Move.STARTED: State.RENEWING,
        Move.KEY_CHANGED: State.HELD,
        Move.EXPIRED: State.EMPTY,
        Move.DIED: State.EMPTY,
    },
    State.RENEWING: {
        Move.ISSUED: State.HELD,
        Move.FAILED: State.HELD,
        Move.DROPPED: State.HELD,
        Move.KEY_CHANGED: State.RENEWING,
        Move.EXPIRED: State.ISSUING,
        Move.DIED: State.ISSUING,
    },
}


class IllegalMove(Exception):
    """A move that the table does not have: a defect of the caller, never of the world."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """The faults since the last success."""

    fault: Fault
    detail: str
    since: float
    count: int
    next_try: float


@dataclass(frozen=True, slots=True)
class Lease:
    """One identity's hold, at one moment."""

    identity: str
    state: State
    bucket: Bucket
    held: Held | None = None
    trouble: Trouble | None = None
    generation: int = 0  # of the access key; raised with each new one
    lifetime: float | None = None  # of the last token: the pace for the next


class Action(Enum):
    """What a keeper should do now."""

    REST = auto()
    ISSUE = auto()
    EXPIRE = auto()


def new(identity: str, now: float) -> Lease:
    """A lease that holds nothing yet."""
    return Lease(identity, State.EMPTY, Bucket.full(budget.ISSUE_BURST, now))


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


def next_try(lease: Lease, now: float) -> float:
    """The earliest moment at which backoff and budget allow another issue request."""
    ready = lease.bucket.ready_at(now, budget.pace(lease.lifetime))
    return ready if lease.trouble is None else max(ready, lease.trouble.next_try)


def next_issue(lease: Lease, now: float) -> float:
    """When IAM will be asked again: at the due point of what is held, or as soon as backoff and budget allow."""
    due = now if lease.held is None else max(now, lease.held.span.due_at)
    return max(due, next_try(lease, now))


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
    held = lease.held
    if held is not None and phase(lease, now) is Phase.EXPIRED:
        return Action.EXPIRE
    early = held is not None and attainable(held, min_ttl) and not enough(held, now, min_ttl)
    due = early or phase(lease, now) >= Phase.DUE
    if due and not in_flight(lease) and next_try(lease, now) <= now:
        return Action.ISSUE
    return Action.REST


def apply(lease: Lease, event: Event) -> Lease:
    """The lease after `event`. Raises IllegalMove where the table has no such move."""
    match event:
        case Started(at):
            spent = lease.bucket.taken(at, budget.pace(lease.lifetime))
            return replace(_moved(lease, Move.STARTED), bucket=spent)
        case Issued(generation=generation) | Failed(generation=generation) if generation != lease.generation:
            return _moved(lease, Move.DROPPED)
        case Issued(_, _, held):
            return replace(_moved(lease, Move.ISSUED), held=held, trouble=None, lifetime=held.span.lifetime)
        case Failed():
            return replace(_moved(lease, Move.FAILED), trouble=_troubled(lease, event))
        case KeyChanged(at):
            moved = _moved(lease, Move.KEY_CHANGED)
            return replace(moved, generation=lease.generation + 1, trouble=_hopeful(lease.trouble, at))
        case Expired():
            return replace(_moved(lease, Move.EXPIRED), held=None)
        case Died():
            return replace(_moved(lease, Move.DIED), held=None)


def _moved(lease: Lease, move: Move) -> Lease:
    state = MOVES[lease.state].get(move)
    if state is None:
        raise IllegalMove(f"{lease.state} has no move {move.name}")
    return replace(lease, state=state)


def _hopeful(trouble: Trouble | None, at: float) -> Trouble | None:
    """Trouble after the key changed: a rejection of the old key does not delay the new one, IAM's own trouble does."""
    if trouble is None or trouble.fault is not Fault.REJECTED:
        return trouble
    return replace(trouble, count=0, next_try=at)


def _troubled(lease: Lease, failed: Failed) -> Trouble:
    before = lease.trouble
    count = before.count + 1 if before and before.fault is failed.fault else 1
    wait = budget.pause(
        failed.fault, count, phase(lease, failed.at), lease.lifetime, failed.retry_after, failed.draw
    )
    since = before.since if before else failed.at
    return Trouble(failed.fault, failed.detail, since, count, failed.at + wait)
