"""S3 credentials, which object storage gives for a token, and how long they are good; pure.

- A life is counted from the moment the request was *sent*, on the broker's clock, as a token's (L4); credentials are
  given to nobody after the deadline of the token that they were made with, nor when little is left of them.
- AWS' SDKs ask for others 15 minutes before the end, and at each call from then on: so credentials are due for a
  successor while they still have more, and from 16 minutes before the end whoever asks waits for it.
- Where they live too short for that, as for half an hour at most, the same happens at a part of their life.
"""

import math
from dataclasses import dataclass
from datetime import datetime

from broker.core.secret import Secret
from broker.core.timing import FLOOR

# Seconds: what ends sooner would end on its way, and SDKs would call it expired.
LEAST = 2.0
# Seconds before the end from which SDKs do not rest: theirs and one minute, for the clocks of two hosts.
RESTLESS = 16 * 60.0
_SOONEST = 0.25  # parts of the life
_AHEAD = 0.7  # parts of the time to `wanted_at`
_WORTH = 0.1  # parts of a life that a successor must bring


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants credentials for."""

    region: str
    duration: int  # seconds


@dataclass(frozen=True, slots=True)
class S3Keys:
    """Credentials as object storage gave them."""

    access_key_id: str
    secret: Secret
    session_token: Secret
    expires_at: datetime  # by object storage's clock, in UTC


@dataclass(frozen=True, slots=True)
class S3Reply:
    """Credentials together with what their reply says of time."""

    keys: S3Keys
    lifetime: float  # seconds
    sent_at: float  # seconds on the broker's clock when the request left


@dataclass(frozen=True, slots=True)
class S3Life:
    """When credentials may be handed out, in seconds on the broker's clock."""

    lifetime: float
    due_at: float  # a successor is made behind the callers' backs
    wanted_at: float  # callers wait for it
    deadline: float

    def usable(self, now: float) -> bool:
        """Whether somebody may get them at `now`."""
        return now + LEAST <= self.deadline

    def successor_is_worth_it(self, now: float, token_deadline: float) -> bool:
        """Whether others of the same kind, made with a token that lives so long, would outlive these."""
        return min(now + self.lifetime, token_deadline) - self.deadline >= self.lifetime * _WORTH


def life(reply: S3Reply, token_deadline: float) -> S3Life:
    """The life of credentials that were made with a token which may be served until `token_deadline`."""
    deadline = min(reply.sent_at + reply.lifetime - FLOOR, token_deadline)
    left = deadline - reply.sent_at
    rest = max(left - RESTLESS, left * _SOONEST)
    wanted_at = reply.sent_at + rest
    return S3Life(reply.lifetime, reply.sent_at + rest * _AHEAD, wanted_at, deadline)


def pause(count: int, lifetime: float | None, retry_after: float | None) -> float:
    """Seconds for which object storage is left alone after the `count`-th failure in a row.

    `lifetime` is that of the credentials at hand; None: there are none, and somebody waits.
    """
    longest = 60.0 if lifetime is None else min(60.0, max(1.0, lifetime / 10))
    own = min(longest, 5.0 * 2.0 ** min(count - 1, 16))
    told = 0.0 if retry_after is None or not math.isfinite(retry_after) else min(retry_after, 300.0)
    return max(own, told)
