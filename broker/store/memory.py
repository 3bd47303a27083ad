"""The cache that is turned off: nothing outlives the process."""

from collections.abc import Sequence

from broker.core.budget import ISSUE_BURST, VALIDATION_BURST, Bucket
from broker.core.memory import Budgets, Memory
from broker.core.model import AccessKey
from broker.core.ports import Clock


class NoStore:
    """Implements the port `Store`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def load(self, keys: Sequence[AccessKey]) -> Memory | None:  # noqa: ARG002
        """Nothing."""
        return None

    async def save(self, memory: Memory, keys: Sequence[AccessKey]) -> None:
        """Keep nothing."""

    async def budgets(self) -> Budgets | None:
        """One request each: what was spent before this start is not known."""
        now = self._clock.now()
        return Budgets(Bucket(ISSUE_BURST, 1.0, now), Bucket(VALIDATION_BURST, 1.0, now))

    async def keep_budgets(self, budgets: Budgets) -> None:
        """Keep nothing."""
