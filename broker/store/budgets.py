"""What is left to be asked of IAM, in a file of its own, in clear: there is no secret in it (invariant L6).

- It is kept apart from the sealed file so that it outlives its keys: a crash loop with a wrong key is still bounded.
- Nothing was kept: a first start. What was kept is for another address of IAM: a first start too.
- What was kept cannot be told, or nothing can be kept now: one request is left, and where that was so half a minute ago
  too, none. Reading writes, to know that.
- A clock that cannot be compared gives back nothing.
"""

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass

import structlog

from broker.core.budget import ISSUE_BURST, ISSUE_EVERY, VALIDATION_BURST, Bucket
from broker.core.errors import StoreError
from broker.core.memory import Budgets
from broker.store import form, reading
from broker.store.folder import Folder
from broker.store.moments import Stamp
from broker.store.reading import number
from broker.store.unusable import Unusable

_log = structlog.get_logger()

LARGEST = 4096  # bytes
BURSTS = {"issues": ISSUE_BURST, "validations": VALIDATION_BURST}
Buckets = Mapping[str, Bucket]


@dataclass(frozen=True, slots=True)
class BudgetFile:
    """Buckets by name, kept for one address of IAM; every method blocks on the disk."""

    folder: Folder
    stem: str  # the name of the identity, or what stands for all
    iam_url: str
    bursts: Mapping[str, int]

    def left(self, now: Stamp) -> Buckets | None:
        """What was left and has come back since; None on a first start."""
        try:
            content = self.folder.read(self._name, LARGEST)
            buckets = None if content is None else self._read(content, now)
        except Unusable as unusable:
            _log.warning("cache_ignored", identity=self.stem, file=self._name, reason=str(unusable))
            buckets = self._granted(now)
        full = {name: Bucket.full(burst, now.at) for name, burst in self.bursts.items()}
        try:
            self.keep(full if buckets is None else buckets, now)
        except StoreError:
            return self.scant(now)  # whoever keeps the first request is told why
        return buckets

    def keep(self, buckets: Buckets, now: Stamp) -> None:
        """Remember them; raises StoreError."""
        left = {name: {"level": bucket.level, "at": bucket.at} for name, bucket in buckets.items()}
        document = {"scope": self._scope, "kept": asdict(now), "left": left}
        self.folder.write(self._name, json.dumps(document).encode())

    def scant(self, now: Stamp) -> Buckets:
        """One request each."""
        return {name: Bucket(burst, 1.0, now.at) for name, burst in self.bursts.items()}

    def _granted(self, now: Stamp) -> Buckets:
        """One request each, but none where that was granted just before: a crash loop may spoil the file each time."""
        last = self.folder.written_at(self._marker)
        if last is not None and abs(now.wall - last) < ISSUE_EVERY:
            return {name: Bucket(burst, 0.0, now.at) for name, burst in self.bursts.items()}
        with suppress(StoreError):
            self.folder.write(self._marker, b"")
        return self.scant(now)

    @property
    def _marker(self) -> str:
        return f"{self.stem}.granted"

    @property
    def _name(self) -> str:
        return f"{self.stem}.budget"

    @property
    def _scope(self) -> str:
        return hashlib.sha256(self.iam_url.encode(errors="surrogatepass")).hexdigest()

    def _read(self, content: bytes, now: Stamp) -> Buckets | None:
        document = reading.table(reading.parsed(content), "scope", "kept", "left")
        if document["scope"] != self._scope:
            return None
        kept, left = form.stamp(document["kept"]), reading.table(document["left"], *self.bursts)
        return {name: _bucket(left[name], burst, kept, now) for name, burst in self.bursts.items()}


def budgets(buckets: Buckets) -> Budgets:
    """Those of one identity."""
    return Budgets(**{name: buckets[name] for name in BURSTS})


def _bucket(value: object, burst: int, kept: Stamp, now: Stamp) -> Bucket:
    fields = reading.table(value, "level", "at")
    level = min(float(burst), max(0.0, number(fields["level"])))
    at, shift = number(fields["at"]), now.shift(kept)
    # Nothing comes back for a time that cannot be told.
    return Bucket(burst, level, now.at if shift is None else min(now.at, at + shift))
