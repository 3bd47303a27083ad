"""What outlives a process in the simulation: the port `Store` on a disk that takes its time, as files in memory.

A process that was killed writes no more, wherever it was: what was on its way is lost.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from broker.core.budget import Bucket
from broker.core.memory import Budgets, Memory
from broker.core.model import AccessKey

_SYNC = 0.005  # seconds


@dataclass(slots=True)
class Disk:
    """The cache of one identity, and the budget of all."""

    memory: Memory | None = None
    opens_with: frozenset[str] = frozenset()
    left: Budgets | None = None
    total: Bucket | None = None


class ProcessStore:
    """Implements the port `Store` for one process."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self.killed = False

    async def load(self, keys: Sequence[AccessKey]) -> Memory | None:
        return self._disk.memory if {key.ref for key in keys} & self._disk.opens_with else None

    async def save(self, memory: Memory, keys: Sequence[AccessKey]) -> None:
        await asyncio.sleep(_SYNC)
        if not self.killed:
            self._disk.memory, self._disk.opens_with = memory, frozenset(key.ref for key in keys)

    async def budgets(self) -> Budgets | None:
        return self._disk.left

    async def keep_budgets(self, budgets: Budgets) -> None:
        await asyncio.sleep(_SYNC)
        if not self.killed:
            self._disk.left = budgets

    async def keep_total(self, left: Bucket) -> None:
        """The budget of all identities together."""
        await asyncio.sleep(_SYNC)
        if not self.killed:
            self._disk.total = left
