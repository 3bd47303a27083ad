"""What an event makes of a lease: `apply`, the only way from one to the next."""

from dataclasses import replace

from broker.core import budget, keys, reports, trouble, watch
from broker.core.errors import Fault
from broker.core.events import (
    Alive,
    Checking,
    Doubted,
    Event,
    Expired,
    Failed,
    Issued,
    KeyAsked,
    KeyChanged,
    KeyDropped,
    KeyReverted,
    Reported,
    Started,
    Unchecked,
    Woke,
)
from broker.core.keys import KeyRecord, Keys, Place
from broker.core.lease import MOVES, IllegalMove, Lease, Move, phase, servable
from broker.core.model import Held, Named
from broker.core.reports import Reaction
from broker.core.timing import Phase
from broker.core.trouble import Trouble
from broker.core.watch import Watch

MOST_REJECTED = 8  # digests of dead tokens that are remembered
# Two tokens, issued so many seconds apart, tell whether tokens of this key still gain life.
_TELLING = 3.0


def apply(lease: Lease, event: Event) -> Lease:
    """The lease after `event`. Raises IllegalMove where the table has no such move."""
    match event:
        case Started(at):
            spent = lease.bucket.taken(at, budget.pace(lease.lifetime))
            return replace(_moved(lease, Move.STARTED), bucket=spent)
        case Issued():
            return _issued(lease, event)
        case Failed():
            return _failed(lease, event)
        case Expired(at):
            return _without(_moved(lease, Move.EXPIRED), at)
        case KeyChanged() | KeyReverted() | KeyDropped():
            return _with_keys(lease, _rekeyed(lease.keys, event), event.at)
        case Checking() | KeyAsked() | Woke():
            return replace(lease, watch=_watched(lease.watch, event))
        case Alive() | Unchecked():
            return _checked(lease, event)
        case Doubted(at, digest):
            same = lease.held is not None and lease.held.token.digest == digest
            return replace(lease, watch=watch.hurried(lease.watch, at)) if same else lease
        case Reported():
            return _reported(lease, event)


def _moved(lease: Lease, move: Move) -> Lease:
    state = MOVES[lease.state].get(move)
    if state is None:
        raise IllegalMove(f"{lease.state} has no move {move.name}")
    return replace(lease, state=state)


def _issued(lease: Lease, event: Issued) -> Lease:
    record = keys.find(lease.keys, event.generation)
    if record is None:
        return _moved(lease, Move.DROPPED)
    token = event.held.token
    if lease.project not in {None, token.project.id}:
        detail = (
            f"the {record.place.name.lower()} access key belongs to the project {token.project.name}, not to that of the "
            "identity; give each project an identity of its own, or restart the broker to move this one"
        )
        return _despaired(
            _moved(lease, Move.DROPPED), keys.foreign(lease.keys, record, event.at, detail), event.at
        )
    ends = record.generation == lease.using and _gains_nothing(lease.held, event.held)
    known = keys.proven(lease.keys, record, event.at, ends=ends)
    if not _adopted(lease, record, event.at):
        return replace(_moved(lease, Move.PROVEN), keys=known, trouble=None)
    roles = frozenset(role.id for role in token.roles)
    watched = watch.renewed(lease.watch, event.at, record.ref, event.draw, access_rules=token.access_rules)
    watched = watch.remembered(watched, {known_key.ref for known_key in known})
    if watched.drifted == roles:
        watched = replace(watched, drifted=None)  # it has what was missed; losing it again is news
    after = replace(
        _moved(lease, Move.ISSUED),
        held=event.held,
        keys=known,
        trouble=None,
        lifetime=event.held.span.lifetime,
        # What was asked for after this request had left is still to come.
        wanted=lease.wanted and lease.wanted_at > event.held.span.sent_at,
        using=record.generation,
        project=token.project.id,
        watch=watched,
    )
    return _with_roles(after, roles)


def _adopted(lease: Lease, record: KeyRecord, now: float) -> bool:
    """Whether the token of this key takes the place of what is held: not that of a standby that was only tried."""
    if lease.wanted or servable(lease, now) is None or record.place is Place.PRIMARY:
        return True
    using = None if lease.using is None else keys.find(lease.keys, lease.using)
    return using is None or using.place is record.place or not using.hopeful or using.ends


def _gains_nothing(before: Held | None, after: Held) -> bool:
    """Whether a later token ends when the earlier one did: with its key."""
    if before is None or before.token.expires_at != after.token.expires_at:
        return False
    apart = after.span.sent_at - before.span.sent_at
    return apart >= _TELLING and after.span.deadline - before.span.deadline < apart / 2


def _failed(lease: Lease, event: Failed) -> Lease:
    record, failure = keys.find(lease.keys, event.generation), event.failure
    if record is None:
        return _moved(lease, Move.DROPPED)
    moved = _moved(lease, Move.FAILED)
    if failure.fault is not Fault.REJECTED:
        now = trouble.after(lease.trouble, failure, phase(lease, failure.at), lease.lifetime)
        return replace(moved, trouble=now)
    # Whoever ended the key may have ended its tokens.
    suspected = replace(moved, watch=watch.hurried(lease.watch, failure.at))
    longest = min(budget.LONGEST_PAUSE_REJECTED, lease.watch.every)
    return _despaired(suspected, keys.rejected(lease.keys, record, failure, longest), failure.at)


def _despaired(lease: Lease, known: Keys, now: float) -> Lease:
    """With these keys: in trouble if nothing is to be hoped from any of them."""
    lease = replace(lease, keys=known)
    if lease.trouble is not None and lease.trouble.fault is not Fault.REJECTED:
        lease = replace(lease, trouble=None)  # IAM answers
    if any(record.hopeful for record in known):
        return lease
    first = next(record for record in keys.preferred(known) if record.detail)
    before = lease.trouble if lease.trouble and lease.trouble.fault is Fault.REJECTED else None
    since = lease.trouble.since if lease.trouble else now
    count = before.count + 1 if before else 1
    ready = keys.ready_at(known, now, lively=False)
    return replace(lease, trouble=Trouble(Fault.REJECTED, first.detail, since, count, ready))


def _rekeyed(known: Keys, event: KeyChanged | KeyReverted | KeyDropped) -> Keys:
    match event:
        case KeyChanged(_, place, generation, ref):
            return keys.changed(known, place, generation, ref)
        case KeyReverted(_, place):
            return keys.reverted(known, place)
        case KeyDropped(_, place):
            return keys.dropped(known, place)


def _with_keys(lease: Lease, known: Keys, at: float) -> Lease:
    """A rejection of the keys of before does not delay the ones of now; IAM's own trouble does."""
    lease, now = replace(lease, keys=known), lease.trouble
    if now is None or now.fault is not Fault.REJECTED:
        return lease
    return replace(lease, trouble=replace(now, count=0, next_try=at))


def _watched(over: Watch, event: Checking | KeyAsked | Woke) -> Watch:
    match event:
        case Checking(at):
            return watch.started(over, at)
        case KeyAsked(at):
            return watch.spent(over, at)
        case Woke(at):
            return watch.hurried(over, at)


def _checked(lease: Lease, event: Alive | Unchecked) -> Lease:
    lease = replace(lease, watch=watch.landed(lease.watch))
    held = lease.held
    if held is None or event.digest != held.token.digest:
        return lease
    match event:
        case Alive(at, digest, by, roles, draw):
            heard = reports.found_valid(lease.reports, digest, lease.watch.left_at)
            lease = replace(lease, watch=watch.alive(lease.watch, at, by, draw), reports=heard)
            lease = _relieved(lease, at)
            return lease if roles is None else _drifted(_with_roles(lease, roles), held, roles, at)
        case Unchecked(_, by, failure, forbidden):
            refused = failure.fault is Fault.REJECTED
            if (refused or forbidden) and not watch.convicts(lease.watch, by):
                stepped = replace(lease, watch=watch.impossible(lease.watch, failure.at, by))
                return _doubted(stepped, failure.at)
            return (
                _dead(lease, held, failure.at)
                if refused
                else replace(lease, watch=watch.failed(lease.watch, failure))
            )


def _doubted(lease: Lease, at: float) -> Lease:
    """Where no method says anything of the token, its key is tried once: a dead one is found so, and the other used."""
    key = lease.watch.key
    if not watch.off(lease.watch) or lease.watch.doubted == key:
        return lease
    return _wanting(replace(lease, watch=replace(lease.watch, doubted=key)), at)


def _dead(lease: Lease, held: Held, at: float) -> Lease:
    rejected = (*lease.rejected, held.token.digest)[-MOST_REJECTED:]
    moved = replace(_moved(lease, Move.DIED), rejected=rejected, watch=watch.bereft(lease.watch))
    return _without(moved, at)


def _without(lease: Lease, at: float) -> Lease:
    """With no token at hand: whoever had hours to live could wait for longer than whoever has nothing."""
    now, longest = lease.trouble, at + budget.LONGEST_PAUSE[Phase.EXPIRED]
    if now is not None and now.fault is not Fault.THROTTLED:
        now = replace(now, next_try=min(now.next_try, longest))
    return replace(lease, held=None, trouble=now)


def _relieved(lease: Lease, at: float) -> Lease:
    """IAM answers: what it was in trouble with when nothing was urgent is over."""
    now = lease.trouble
    idle = phase(lease, at) is Phase.FRESH and not lease.wanted
    if now is None or now.fault is Fault.REJECTED or now.next_try > at or not idle:
        return lease
    return replace(lease, trouble=None)


def _drifted(lease: Lease, held: Held, roles: frozenset[str], at: float) -> Lease:
    """A token whose roles have changed is replaced, once for each set of roles."""
    if roles == {role.id for role in held.token.roles} or roles == lease.watch.drifted:
        return lease
    return _wanting(replace(lease, watch=replace(lease.watch, drifted=roles)), at)


def _wanting(lease: Lease, at: float) -> Lease:
    return replace(lease, wanted=True, wanted_at=at)


def _with_roles(lease: Lease, roles: frozenset[str]) -> Lease:
    """The roles that a token of this identity has now, beside all that it had."""
    known: dict[str, Named] = {role.id: role for role in lease.roles}
    if lease.held is not None:
        known |= {role.id: role for role in lease.held.token.roles}
    lost = tuple(role for role in known.values() if role.id not in roles)
    return replace(lease, roles=tuple(known.values()), lost=lost)


def _reported(lease: Lease, event: Reported) -> Lease:
    if lease.held is None or lease.held.token.digest != event.digest:
        return lease
    can = watch.method(lease.watch) is not None
    heard, reaction = reports.react(lease.reports, event.at, event.digest, can_validate=can)
    lease = replace(lease, reports=heard)
    if reaction is Reaction.VALIDATE:
        return replace(lease, watch=watch.hurried(lease.watch, event.at))
    return _wanting(lease, event.at) if reaction is Reaction.REISSUE else lease
