"""How often IAM may be asked (invariant L6): token buckets and full-jitter backoff, as values.

Nothing here draws a random number or reads a clock: `now` and `draw` in [0, 1) are arguments.
"""

from dataclasses import dataclass, replace

from broker.core.errors import Fault
from broker.core.timing import Phase

ISSUE_BURST = 5
ISSUE_EVERY = 30.0  # seconds, or a tenth of the token's lifetime if that is shorter
VALIDATION_BURST = 5
VALIDATION_EVERY = 10.0  # seconds, or the interval of validation if that is shorter
TOTAL_BURST = 20
TOTAL_EVERY = 1.0
# So much of the common burst is left to identities that are not in trouble, or many failing ones would use up what a
# good one needs for its next token (L12).
TOTAL_RESERVE = 8

# The longest pause between two attempts, in seconds, by what the workloads have left. A refresh that is only due has
# hours of grace; without a token, people are waiting.
LONGEST_PAUSE = {Phase.FRESH: 300.0, Phase.DUE: 300.0, Phase.CRITICAL: 60.0, Phase.EXPIRED: 30.0}
# A rejected key rarely comes back, but it does: an administrator's slip is undone. Never slower than this.
LONGEST_PAUSE_REJECTED = 300.0
# The longest that IAM's own `Retry-After` is obeyed, in seconds.
LONGEST_RETRY_AFTER = 300.0

_FIRST_PAUSE = {Fault.UNAVAILABLE: 1.0, Fault.PROTOCOL: 2.0, Fault.THROTTLED: 2.0, Fault.REJECTED: 5.0}


@dataclass(frozen=True, slots=True)
class Bucket:
    """So many requests at once, then one per `every` seconds; `every` may change from one look to the next."""

    burst: int
    level: float
    at: float

    @classmethod
    def full(cls, burst: int, now: float) -> "Bucket":
        return cls(burst, float(burst), now)

    def refilled(self, now: float, every: float) -> "Bucket":
        """The bucket as it stands at `now`; a clock that went back refills nothing."""
        return replace(self, level=self.level_at(now, every), at=max(now, self.at))

    def level_at(self, now: float, every: float) -> float:
        """How many requests may leave at `now`."""
        return min(float(self.burst), self.level + max(0.0, now - self.at) / every)

    def ready_at(self, now: float, every: float, spare: float = 0.0) -> float:
        """The moment from which one request may leave, and `spare` remain: `now` itself if it may at once."""
        missing = 1.0 + spare - self.level_at(now, every)
        # A rounding error must not make a caller wait for a moment that never comes.
        return now if missing <= 1e-9 else now + missing * every

    def taken(self, now: float, every: float) -> "Bucket":
        """The bucket after one request at `now`."""
        bucket = self.refilled(now, every)
        return replace(bucket, level=max(0.0, bucket.level - 1.0))


def pace(lifetime: float | None) -> float:
    """Seconds per issue request once the burst is spent, for a token of this lifetime (None: none known yet)."""
    return ISSUE_EVERY if lifetime is None else min(ISSUE_EVERY, lifetime / 10)


def pause(
    fault: Fault, count: int, phase: Phase, lifetime: float | None, retry_after: float | None, draw: float
) -> float:
    """Seconds until the next attempt after the `count`-th failure in a row.

    Full jitter below a doubling bound; the bound follows the token's lifetime, so that a token of seconds is fought
    for within seconds. IAM's `Retry-After` is a floor, with jitter above it so that a fleet does not return at once.
    """
    rejected = fault is Fault.REJECTED
    longest = LONGEST_PAUSE_REJECTED if rejected else LONGEST_PAUSE[phase]
    if lifetime is not None and not rejected:
        longest = min(longest, max(1.0, lifetime / 10))
    jitter = draw * min(longest, _FIRST_PAUSE[fault] * 2.0 ** min(count - 1, 16))
    if retry_after is None:
        return jitter
    return min(retry_after, LONGEST_RETRY_AFTER) + min(jitter, _FIRST_PAUSE[fault])
