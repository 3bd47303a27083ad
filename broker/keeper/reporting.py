"""Reports of refused tokens, from the client's side: what came of one, by the time that the client will wait (L9)."""

from collections.abc import Callable

from broker.core import lease, watch
from broker.core.model import Held
from broker.core.reports import Outcome, Reaction, react
from broker.keeper.keeper import Keeper


def _whatever(reaction: Reaction) -> bool:
    del reaction
    return True


async def report(
    keeper: Keeper, digest: str, until: float, may: Callable[[Reaction], bool] = _whatever
) -> Outcome:
    """A client says that the token of this SHA-256 is refused; what came of it by the time the clock reads `until`.

    `may` says whether this client may have IAM asked. If not, the report is not heard.
    """
    held = keeper.lease.held
    if held is not None and held.token.digest != digest:
        return Outcome.SUPERSEDED
    if held is None and digest not in keeper.lease.rejected:
        return Outcome.DEFERRED
    reaction = _reaction(keeper, digest)
    if reaction is not Reaction.NOTHING and not may(reaction):
        return _known(keeper, digest)
    keeper.reported(digest)
    outcome = await _outcome(keeper, digest, until)
    # A rejection is on disk before it is answered (L13).
    await keeper.remembrance.kept(until)
    return outcome


def _reaction(keeper: Keeper, digest: str) -> Reaction:
    """What a report would lead to."""
    kept = keeper.lease
    if kept.held is None:
        return Reaction.NOTHING
    can = watch.method(kept.watch) is not None
    return react(kept.reports, keeper.clock.now(), digest, can_validate=can)[1]


def _known(keeper: Keeper, digest: str) -> Outcome:
    """What is known already: as where the lease itself forces no further token, the last validation counts."""
    heard = keeper.lease.reports
    valid = heard.valid == digest and keeper.clock.now() < heard.until
    return Outcome.STILL_VALID if valid else Outcome.DEFERRED


async def _outcome(keeper: Keeper, digest: str, until: float) -> Outcome:
    while True:
        keeper.observe()
        now, kept = keeper.clock.now(), keeper.lease
        held = lease.servable(kept, now)
        if held is not None and held.token.digest != digest:
            return Outcome.REPLACED
        if held is not None and not kept.wanted and kept.reports.valid == digest:
            return Outcome.STILL_VALID
        if now >= min(until, keeper.closing_at) or _news_at(keeper, now, held) >= until:
            return Outcome.DEFERRED
        await keeper.news(until)


def _news_at(keeper: Keeper, now: float, held: Held | None) -> float:
    """When something may come of a report: at the landing of what is under way, or at the next try."""
    if lease.in_flight(keeper.lease) or keeper.lease.watch.flying:
        return now
    if held is None or keeper.lease.wanted:
        return keeper.next_try(now)
    return lease.next_check(keeper.lease, now)
