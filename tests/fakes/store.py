"""A store in memory that survives what a test calls a restart."""

import asyncio
from collections.abc import Sequence

from broker.core.errors import StoreError
from broker.core.memory import Budgets, Memory
from broker.core.model import AccessKey


class FakeStore:
    """Implements the port `Store`; `broken` says why it keeps nothing."""

    def __init__(self) -> None:
        self.memory: Memory | None = None
        self.opens_with: tuple[str, ...] = ()
        self.left: Budgets | None = None
        self.broken: str | None = None
        self.saved = 0
        self.gate: asyncio.Event | None = None  # until it opens, the disk writes no memory

    async def load(self, keys: Sequence[AccessKey]) -> Memory | None:
        return self.memory if {key.ref for key in keys} & set(self.opens_with) else None

    async def save(self, memory: Memory, keys: Sequence[AccessKey]) -> None:
        self._check()
        if self.gate is not None:
            await self.gate.wait()
        self.memory, self.opens_with = memory, tuple(key.ref for key in keys)
        self.saved += 1

    async def budgets(self) -> Budgets | None:
        return self.left

    async def keep_budgets(self, budgets: Budgets) -> None:
        self._check()
        self.left = budgets

    def _check(self) -> None:
        if self.broken is not None:
            raise StoreError(self.broken)
