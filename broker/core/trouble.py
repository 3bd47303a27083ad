"""The faults since the last success, and when to try again."""

from dataclasses import dataclass

from broker.core import budget
from broker.core.errors import Fault
from broker.core.timing import Phase


@dataclass(frozen=True, slots=True)
class Trouble:
    """What IAM answers instead of what it was asked for; seconds on the broker's clock."""

    fault: Fault
    detail: str
    since: float
    count: int  # of this fault in a row; 0: of an old key, the one of now was not tried yet
    next_try: float


@dataclass(frozen=True, slots=True)
class Failure:
    """One attempt at IAM that failed."""

    at: float
    fault: Fault
    detail: str
    retry_after: float | None  # seconds, as IAM wished
    draw: float  # in [0, 1): the jitter of the next try


def after(before: Trouble | None, failure: Failure, phase: Phase, lifetime: float | None) -> Trouble:
    """The trouble after one more failure, for who has a token in this phase of this lifetime."""
    count = before.count + 1 if before and before.fault is failure.fault else 1
    wait = budget.pause(failure.fault, count, phase, lifetime, failure.retry_after, failure.draw)
    since = before.since if before else failure.at
    return Trouble(failure.fault, failure.detail, since, count, failure.at + wait)
