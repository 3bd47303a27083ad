"""What an identity keeps over a restart, written behind its back: the latest wins, one write at a time.

A store that fails costs nothing but what it is for: tokens are served on, and it is tried again.
"""

import asyncio
from collections.abc import Callable

import structlog

from broker.core.errors import StoreError
from broker.core.lease import Lease
from broker.core.memory import Budgets, Memory
from broker.core.model import AccessKey, Reply
from broker.core.ports import Clock, Store
from broker.core.watch import evidence_by_key
from broker.keeper.setting import Setting

_log = structlog.get_logger()

# A disk may take so many seconds of a caller's time, no more; what is not kept by then is kept later.
KEEPING = 0.25
_AGAIN = 60.0  # seconds until a store that failed is tried again


class Remembrance:
    """Belongs to one event loop."""

    def __init__(
        self, identity: str, store: Store, clock: Clock, keys: Callable[[], tuple[AccessKey, ...]]
    ) -> None:
        """`keys` gives those that shall open what is kept."""
        self.unwritable: str | None = None  # why nothing can be kept
        self._identity = identity
        self._store = store
        self._clock = clock
        self._keys = keys
        self._noted: Memory | None = None  # not yet written
        self._last: Memory | None = None  # noted last, written or not
        self._again_at = 0.0
        self._closed = False
        self._writer: asyncio.Task[None] | None = None

    def note(self, lease: Lease) -> None:
        """Keep what this lease knows, soon."""
        memory = memory_of(lease)
        if memory != self._last:
            self._last = self._noted = memory
            self._write()

    def renew(self) -> None:
        """The keys have changed: what is kept must open with those of now."""
        self._noted = self._last
        self._write()

    def tick(self) -> None:
        """Try again where keeping has failed."""
        if self.unwritable is not None and self._clock.now() >= self._again_at:
            self.renew()

    async def kept(self, until: float) -> None:
        """Return when all that was noted is kept, or cannot be, or when the clock reads `until`."""
        while self._writer is not None and self._clock.now() < until:
            await self._clock.wait(self._writer, until)

    def failed(self, error: StoreError) -> None:
        """Something could not be kept."""
        if self.unwritable is None:
            _log.warning("cache_unwritable", identity=self._identity, detail=str(error))
        self.unwritable, self._again_at = str(error), self._clock.now() + _AGAIN

    async def aclose(self) -> None:
        """Wait for what is being written, which the store bounds; nothing is written any more."""
        self._closed = True
        if self._writer is not None:
            await asyncio.gather(self._writer, return_exceptions=True)

    def _write(self) -> None:
        if self._noted is not None and self._writer is None and not self._closed:
            self._writer = asyncio.create_task(self._drain())

    async def _drain(self) -> None:
        try:
            while (memory := self._noted) is not None:
                self._noted = None
                await self._save(memory)
        finally:
            self._writer = None

    async def _save(self, memory: Memory) -> None:
        try:
            await self._store.save(memory, self._keys())
        except StoreError as error:
            self.failed(error)
        except Exception:  # noqa: BLE001
            # A defect in keeping must not cost a lease, nor the next attempt at keeping.
            _log.exception("store_defect", identity=self._identity)
        else:
            self.unwritable = None


class BudgetKeeping:
    """What is spent is on disk before it is spent, or a crash would give it back; a hung disk is not waited for."""

    def __init__(self, identity: str, store: Store, setting: Setting, remembrance: Remembrance) -> None:
        self._identity = identity
        self._store = store
        self._clock = setting.clock
        self._allowance = setting.allowance
        self._remembrance = remembrance
        self._task: asyncio.Task[None] | None = None

    async def keep(self, lease: Lease) -> None:
        """Return when it is kept, or cannot be, or the disk takes too long."""
        until = self._clock.now() + KEEPING
        while self._task is not None and self._clock.now() < until:
            await self._clock.wait(self._task, until)
        if self._task is None:
            self._task = asyncio.create_task(self._keep(lease))
            await self._clock.wait(self._task, until)

    async def aclose(self) -> None:
        """End what is under way; a write that has begun ends by itself."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _keep(self, lease: Lease) -> None:
        budgets = Budgets(lease.bucket, lease.watch.bucket)
        try:
            await asyncio.gather(self._store.keep_budgets(budgets), self._allowance.keep())
        except StoreError as error:
            self._remembrance.failed(error)
        except Exception:  # noqa: BLE001
            # What cannot be kept must not hold up the request that follows.
            _log.exception("store_defect", identity=self._identity)
        finally:
            self._task = None


def memory_of(lease: Lease) -> Memory:
    """What of a lease is worth keeping."""
    held = lease.held
    return Memory(
        reply=None if held is None else Reply(held.token, held.span.lifetime, held.span.sent_at, None),
        key=None if held is None else lease.watch.key,
        evidence=evidence_by_key(lease.watch),
        rejected=lease.rejected,
    )
