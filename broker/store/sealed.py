"""What one identity keeps over a restart, on the disk: its memory sealed, its budgets in clear (invariants L6 and L13).

- Nothing that is read can do harm: what is not usable is ignored, and the log says why, once.
- The newest memory wins. One that could not be written in time is written as soon as the disk lets it.
- Where a memory cannot be written the one before it is removed: it may hold a token that has died since. A start that
  had no key yet, and so does not know what lies there, leaves it to the next.
"""

import contextlib
from collections.abc import Sequence

import structlog

from broker.core.errors import StoreError
from broker.core.memory import Budgets, Memory
from broker.core.model import AccessKey
from broker.core.ports import Clock
from broker.store import form
from broker.store.budgets import BURSTS, BudgetFile, budgets
from broker.store.folder import Folder
from broker.store.lane import Lane
from broker.store.moments import Stamp
from broker.store.sealing import Scope, open_sealed, seal
from broker.store.unusable import Unusable

_log = structlog.get_logger()

# IAM's answer has at most 4 MiB, a third more as it is written here.
LARGEST = 8 * 1024 * 1024  # bytes


class SealedStore:
    """Implements the port `Store`; belongs to one event loop."""

    def __init__(
        self, folder: Folder, identity: str, iam_url: str, clock: Clock, boot_id: str | None
    ) -> None:
        """`boot_id` says which boot of this machine the clock counts from, None where that is not known."""
        self._folder = folder
        self._scope = Scope(identity, iam_url)
        self._name = f"{identity}.sealed"
        self._budgets = BudgetFile(folder, identity, iam_url, BURSTS)
        self._clock = clock
        self._boot_id = boot_id
        self._lane = Lane(clock, str(folder.path / self._name))
        self._known = False  # what lies there was read or written since the start
        self._newest: tuple[Memory, Sequence[AccessKey]] = (Memory(), ())

    async def load(self, keys: Sequence[AccessKey]) -> Memory | None:
        """What one of the keys opens; None when there is nothing, or nothing usable."""
        try:
            memory = await self._lane.run(lambda: self._read(keys))
        except (Unusable, StoreError) as why:
            _log.warning("cache_ignored", identity=self._scope.identity, file=self._name, reason=str(why))
            return None
        if memory is None:
            return None
        usable = form.servable(memory, self._clock.now())
        if usable is not memory:
            reason = "its token has ended, or is known to be dead"
            _log.info("cache_ignored", identity=self._scope.identity, file=self._name, reason=reason)
        return usable

    async def save(self, memory: Memory, keys: Sequence[AccessKey]) -> None:
        """Keep it in place of what was there; raises StoreError, and then nothing is kept where that can be helped."""
        self._newest = memory, tuple(keys)
        await self._lane.run(self._write_newest)

    async def budgets(self) -> Budgets | None:
        """What was spent before the restart; None on a first start."""
        now = self._now()
        try:
            left = await self._lane.run(lambda: self._budgets.left(now))
        except StoreError:
            left = self._budgets.scant(now)  # whoever keeps the first request is told why
        return None if left is None else budgets(left)

    async def keep_budgets(self, left: Budgets) -> None:
        """Remember what is left. Raises StoreError."""
        now, buckets = self._now(), {name: getattr(left, name) for name in BURSTS}
        await self._lane.run(lambda: self._budgets.keep(buckets, now))

    def _now(self) -> Stamp:
        return Stamp.of(self._clock, self._boot_id)

    def _read(self, keys: Sequence[AccessKey]) -> Memory | None:
        sealed = self._folder.read(self._name, LARGEST)
        if sealed is None:
            return None
        memory = form.read(open_sealed(sealed, self._scope, keys), self._now())
        self._known = True
        return memory

    def _write_newest(self) -> None:
        memory, keys = self._newest
        try:
            self._folder.write(self._name, self._sealed(memory, keys))
        except StoreError:
            if keys or self._known:
                with contextlib.suppress(StoreError):
                    self._folder.remove(self._name)
            raise
        self._known = True

    def _sealed(self, memory: Memory, keys: Sequence[AccessKey]) -> bytes:
        where = self._folder.path / self._name
        if not keys:
            raise StoreError(f"{where}: there is no access key to seal it with; mend the identity's key")
        sealed = seal(form.written(memory, self._now()), self._scope, keys)
        if len(sealed) > LARGEST:
            raise StoreError(f"{where}: there is more to keep than {LARGEST} bytes; please report it")
        return sealed
