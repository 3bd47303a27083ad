"""How often one caller may have IAM asked; reading a token is never limited.

- Each user has buckets of its own, beside the budget of the identity (L6): who uses up its own takes nothing from others.
- Only what would start a question takes from it: an early refresh for `min_ttl`, a report that leads to a validation or to
  a new token. What joins a flight, what the lease answers from what it knows, and what is due anyway takes nothing.
- Tokens that reports alone have forced make the next such token rarer for all who share the identity (L9), so one user
  may force few of them.
"""

from dataclasses import dataclass

from broker.core import lease
from broker.core.budget import Bucket
from broker.core.errors import Code, Refusal
from broker.core.reports import Reaction
from broker.keeper.keeper import Keeper

MOST_REMEMBERED = 1024


@dataclass(frozen=True, slots=True)
class Rate:
    """So many at once, then one in so many seconds."""

    burst: int
    every: float


ASKING = Rate(10, 30.0)
FORCING = Rate(3, 3600.0)


class Pace:
    """The buckets of all users; has no clock of its own."""

    def __init__(self) -> None:
        # In the order of the last use. Who is forgotten starts with a full one.
        self._buckets: dict[tuple[int, Rate], Bucket] = {}

    def take(self, uid: int, now: float, rate: Rate = ASKING, spare: float = 0.0) -> float:
        """Take one and leave `spare`; 0.0, or the seconds after which there will be so many."""
        bucket = self._buckets.get((uid, rate)) or Bucket.full(rate.burst, now)
        wait = bucket.ready_at(now, rate.every, spare) - now
        if wait <= 0:
            self._buckets.pop((uid, rate), None)  # so that it goes to the end of the order
            self._buckets[uid, rate] = bucket.taken(now, rate.every)
            self._forget(now)
        return max(0.0, wait)

    def _forget(self, now: float) -> None:
        if len(self._buckets) <= MOST_REMEMBERED:
            return
        full = (key for key, its in self._buckets.items() if its.level_at(now, key[1].every) >= its.burst)
        del self._buckets[next(full, next(iter(self._buckets)))]


class Turn:
    """What one report may cost, and how long its sender must wait if it may not."""

    def __init__(self, pace: Pace, uid: int, now: float, spare: float = 0.0) -> None:
        self._pace = pace
        self._uid = uid
        self._now = now
        self._spare = spare
        self.wait = 0.0

    def __call__(self, reaction: Reaction) -> bool:
        """Whether the report may lead to this."""
        rate = FORCING if reaction is Reaction.REISSUE else ASKING
        self.wait = self._pace.take(self._uid, self._now, rate, self._spare)
        return not self.wait


async def early(pace: Pace, keeper: Keeper, uid: int, until: float, min_ttl: float) -> None:
    """Wait until IAM may be asked for a longer token, and take that from the caller's share. Raises Refusal.

    Returns at once where nothing would be asked for it, or not before `until`; the keeper is asked for the token then.
    """
    while (at := _starts_at(keeper, min_ttl)) <= min(until, keeper.closing_at):
        now = keeper.clock.now()
        if at > now:
            await keeper.news(at)
            continue
        if wait := pace.take(uid, now):
            raise Refusal(
                Code.MIN_TTL_UNAVAILABLE,
                "the token at hand ends too soon, and this user has asked for many; ask for less, or later",
                wait,
            )
        return


def _starts_at(keeper: Keeper, min_ttl: float) -> float:
    """When a token would be asked for because of `min_ttl` alone; never, if not for that."""
    now, kept = keeper.clock.now(), keeper.lease
    held = lease.servable(kept, now)
    if held is None or lease.in_flight(kept) or kept.wanted or now >= held.span.due_at:
        return float("inf")
    if lease.enough(held, now, min_ttl) or not lease.attainable(held, min_ttl):
        return float("inf")
    return keeper.next_try(now, min_ttl)
