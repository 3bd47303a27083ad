"""A token that is doubted: whoever was given it asks for one again, which a client does after a refusal, or just so.

The lease answers with a validation that begins after the doubt did, and that all who doubt meanwhile share; what is found
dead is replaced. Where no validation can be had in time, the token is as good as it was (L2).
"""

from collections.abc import Callable

from broker.core import lease, watch
from broker.core.reports import Reaction
from broker.keeper.keeper import Keeper
from broker.keeper.reporting import report


async def settle(
    keeper: Keeper, digest: str, until: float, may: Callable[[Reaction], bool], spare: float = 0.0
) -> None:
    """Return once it is known whether the token of this SHA-256 lives, at `until`, or where it cannot be known by then.

    `may` says whether this client may have IAM asked; it joins what others have asked for anyway. So many validations as
    `spare` says are left to who has better reason to doubt.
    """
    since = keeper.clock.now()
    if watch.method(keeper.lease.watch) is None:
        # Nothing but another token helps here; as with reports, such are asked for ever more rarely (L9).
        await report(keeper, digest, until, may)
        return
    while _is_open(keeper, digest, since):
        now = keeper.clock.now()
        begins = _begins_at(keeper, now)
        if now >= min(until, keeper.closing_at) or begins >= until:
            return
        over = keeper.lease.watch
        if over.due_at > now and over.left_at < since:  # nobody has asked for it yet
            if not _leaves(keeper, now, spare) or not may(Reaction.VALIDATE):
                return
            keeper.doubted(digest)
        await keeper.news(min(until, begins) if begins > now else until)
    # A rejection is on disk before it is answered (L13).
    await keeper.remembrance.kept(until)


def _is_open(keeper: Keeper, digest: str, since: float) -> bool:
    """Whether the token is still the one that is served, and nothing is known of it that is newer than the doubt."""
    held = lease.servable(keeper.lease, keeper.clock.now())
    return held is not None and held.token.digest == digest and keeper.lease.watch.heard_at < since


def _leaves(keeper: Keeper, now: float, spare: float) -> bool:
    """Whether so many validations remain after one."""
    over = keeper.lease.watch
    return not spare or over.bucket.ready_at(now, watch.pace(over), spare) <= now


def _begins_at(keeper: Keeper, now: float) -> float:
    """When a validation leaves that somebody asks for now; `now` while one is under way, whose landing comes first."""
    over = keeper.lease.watch
    return now if over.flying else watch.next_check(watch.hurried(over, now), now)
