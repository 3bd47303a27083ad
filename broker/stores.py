"""The cache of a running broker: where it lies, and a store for each identity in it."""

import asyncio
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import structlog

from broker.core.budget import Bucket
from broker.core.ports import Clock, Store
from broker.settings import Settings
from broker.settings.defaults import can_be_written, default_cache
from broker.store.folder import Folder, cache_folder
from broker.store.memory import NoStore
from broker.store.moments import boot_id
from broker.store.total import TotalStore

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Stores:
    """Makes the stores of one broker."""

    folder: Folder | None  # None: nothing is kept
    clock: Clock
    boot: str | None

    def of(self, identity: str, iam_url: str) -> Store:
        """What this identity keeps, asked of this IAM."""
        if self.folder is None:
            return NoStore(self.clock)
        # Seven megabytes of ciphers, which a broker that keeps nothing need not hold.
        from broker.store.sealed import SealedStore  # noqa: PLC0415

        return SealedStore(self.folder, identity, iam_url, self.clock, self.boot)

    def total(self, iam_url: str) -> "Total":
        """What all identities together have left of their budget."""
        if self.folder is None:
            return Total(None)
        return Total(TotalStore(self.folder, iam_url, self.clock, self.boot))


class Total:
    """The common budget."""

    def __init__(self, store: TotalStore | None) -> None:
        self._store = store
        self._newest: Bucket | None = None
        self._kept: Bucket | None = None
        self._turn = asyncio.Lock()

    async def load(self) -> Bucket | None:
        """What was left before the restart; None: nothing was spent."""
        return None if self._store is None else await self._store.load()

    async def keep(self, left: Bucket) -> None:
        """Remember what is left: of many who ask at once the newest is written, once. Raises StoreError."""
        self._newest = left
        async with self._turn:
            if self._store is None or self._newest is self._kept:
                return
            newest = self._newest
            await self._store.keep(newest)
            self._kept = newest


@contextmanager
def open_stores(
    settings: Settings, clock: Clock, environ: Mapping[str, str] = os.environ
) -> Iterator[Stores]:
    """The cache as the settings say, or where it belongs; raises nothing: a broker runs without one too."""
    if settings.cache.off:
        yield Stores(None, clock, None)
        return
    path = settings.cache.path or default_cache(environ, can_be_written)
    if path is None:
        _log.warning(
            "cache_nowhere",
            detail="no folder for the cache: a restart costs a new token; set [cache] path, or off = true",
        )
        yield Stores(None, clock, None)
        return
    with cache_folder(path) as folder:
        yield Stores(folder, clock, boot_id())
