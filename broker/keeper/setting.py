"""What all keepers share: the clock, the common allowance, and who hears of changes."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from broker.core import budget, timing
from broker.core.budget import Bucket
from broker.core.degraded import Reason
from broker.core.lease import Lease
from broker.core.ports import Clock
from broker.core.watch import Method

# What is left to tokens when lives are only checked, as after a wake-up, where all are checked at once; and what is
# left to both when somebody would only like to know something.
_ISSUES_FIRST = 5
_CHECKS_FIRST = 12


class Observer(Protocol):
    """Hears of every change of a lease, after it happened."""

    def __call__(self, before: Lease, after: Lease, now: float) -> None: ...


class Allowance:
    """What all identities together may ask of IAM (L6)."""

    def __init__(
        self, now: float, left: Bucket | None = None, keep: Callable[[Bucket], Awaitable[None]] | None = None
    ) -> None:
        """`left` is what was left before a restart; `keep` remembers it for the next and may raise StoreError."""
        self._bucket = left or Bucket.full(budget.TOTAL_BURST, now)
        self._keep = keep

    def ready_at(self, now: float, kept: Lease) -> float:
        """The moment from which one more token may be asked for, for this lease.

        Who has failed and holds nothing leaves a reserve to those who still have a token to renew in time.
        """
        hopeless = kept.held is None and kept.trouble is not None and kept.trouble.count > 0
        spare = budget.TOTAL_RESERVE if hopeless else 0
        return self._bucket.ready_at(now, budget.TOTAL_EVERY, spare)

    def check_ready_at(self, now: float) -> float:
        """The moment from which one more life may be checked."""
        return self._bucket.ready_at(now, budget.TOTAL_EVERY, _ISSUES_FIRST)

    def question_ready_at(self, now: float) -> float:
        """The moment from which something may be asked that can wait."""
        return self._bucket.ready_at(now, budget.TOTAL_EVERY, _CHECKS_FIRST)

    def spend(self, now: float) -> None:
        """One request leaves."""
        self._bucket = self._bucket.taken(now, budget.TOTAL_EVERY)

    async def keep(self) -> None:
        """Remember what is left. Raises StoreError."""
        if self._keep is not None:
            await self._keep(self._bucket)


@dataclass(frozen=True, slots=True)
class Validation:
    """How lives are checked."""

    every: float = 300.0  # seconds
    methods: tuple[Method, ...] = tuple(Method)  # in order; none: not at all


def _nothing(identity: str) -> Mapping[Reason, str]:
    del identity
    return {}


@dataclass(frozen=True, slots=True)
class Setting:
    """What all keepers share."""

    clock: Clock
    host: str  # part of the draw of due points: spreads a fleet
    allowance: Allowance
    jitter: Callable[[], float]  # in [0, 1)
    observers: tuple[Observer, ...] = ()
    refresh: timing.Refresh = timing.USUAL
    validation: Validation = Validation()
    # What is wrong around an identity, and around all of them, with its sentence.
    ailments: Callable[[str], Mapping[Reason, str]] = _nothing
