"""What is known of the access keys of one identity: which one a token is asked for with, and which are to be tried.

- A place, primary or standby, has one *settled* key, and a *new* one while its source holds another: the new key is
  tried before it replaces the settled one (L10). Each reading of a key has a generation of its own.
- For a token, the first usable key in the order of preference is asked: primary before standby, new before settled.
- Beside that, keys are *tried* while the token is fresh, so that none is found dead on the day it is needed: a new one
  at once, the standby at start and daily, a rejected one ever more slowly.
- A key of another project is foreign: it is never asked again. A key that ends soon gives no longer life than the token
  at hand has, and is not asked in a loop.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import IntEnum, StrEnum

from broker.core import budget
from broker.core.errors import Fault
from broker.core.timing import Phase
from broker.core.trouble import Failure

NEVER = float("inf")
PROOF_EVERY = 86400.0  # seconds: a standby is proven daily


class Place(IntEnum):
    """Where a key stands in the configuration's order of preference."""

    PRIMARY = 0
    STANDBY = 1


class Standing(StrEnum):
    """What IAM said of a key when it was last asked with it."""

    UNTRIED = "untried"
    GOOD = "good"
    REJECTED = "rejected"
    FOREIGN = "foreign"  # it is of another project than the identity
    MISSING = "missing"  # its source had no readable key at start


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """One access key of an identity, at one moment; no secret."""

    generation: int
    ref: str  # as the key's own, see model
    place: Place
    settled: bool = True
    standing: Standing = Standing.UNTRIED
    since: float = 0.0  # of the standing, where it is bad
    count: int = 0  # of rejections in a row
    next_try: float = 0.0  # where it is bad
    detail: str = ""  # where it is bad: one sentence with the remedy
    proven_at: float = -NEVER
    ends: bool = False  # the tokens it gives now end with it

    @property
    def hopeful(self) -> bool:
        """Whether nothing speaks against it."""
        return self.standing in {Standing.UNTRIED, Standing.GOOD}

    def usable_at(self, now: float) -> float:
        """The moment from which it may be asked."""
        return now if self.hopeful else max(now, self.next_try)


Keys = tuple[KeyRecord, ...]


def settled(refs: Iterable[str | None]) -> Keys:
    """The keys as they were read at start, in order of preference; None: a source without a readable key."""
    found = []
    for place, ref in zip(Place, refs, strict=False):
        record = KeyRecord(generation=place + 1, ref=ref or "", place=place)
        if ref is None:
            record = replace(record, standing=Standing.MISSING, next_try=NEVER)
        found.append(record)
    return tuple(found)


def find(keys: Keys, generation: int) -> KeyRecord | None:
    """The key of this generation, if it is still wanted."""
    return next((record for record in keys if record.generation == generation), None)


def at(keys: Keys, place: Place, *, new: bool = False) -> KeyRecord | None:
    """The settled key of a place, or the new one."""
    return next((record for record in keys if record.place is place and record.settled is not new), None)


def preferred(keys: Keys) -> Keys:
    """In order of preference."""
    return tuple(sorted(keys, key=lambda record: (record.place, record.settled)))


def to_issue(keys: Keys, now: float, *, lively: bool) -> KeyRecord | None:
    """The key to ask for a token with; `lively`: one is at hand, so a key that gives no longer life is of no use."""
    return next((record for record in _useful(keys, lively=lively) if record.usable_at(now) <= now), None)


def ready_at(keys: Keys, now: float, *, lively: bool) -> float:
    """The moment from which `to_issue` finds a key; NEVER where it never does."""
    return min((record.usable_at(now) for record in _useful(keys, lively=lively)), default=NEVER)


def to_try(keys: Keys, now: float, using: int | None) -> KeyRecord | None:
    """The key to be tried beside the one in use, which is named by its generation."""
    for record in _useful(keys, lively=True):
        in_use = record.generation == using
        proven = record.standing is Standing.GOOD and now < record.proven_at + PROOF_EVERY
        # A primary that is good and yet not in use is to be used again.
        content = proven and record.place is not Place.PRIMARY
        if not in_use and not content and record.usable_at(now) <= now:
            return record
    return None


def proven(keys: Keys, record: KeyRecord, now: float, *, ends: bool) -> Keys:
    """It brought a token: it is settled from now on, and its predecessor gone."""
    good = replace(record, settled=True, standing=Standing.GOOD, count=0, detail="", proven_at=now, ends=ends)
    kept = (other for other in keys if other.place is not record.place or not _replaced(other, record))
    return tuple(good if other is record else other for other in kept)


def rejected(keys: Keys, record: KeyRecord, failure: Failure, longest: float) -> Keys:
    """IAM does not know it (any more); it is asked again ever more slowly, at most `longest` seconds apart."""
    count = record.count + 1
    wait = min(
        longest, budget.pause(Fault.REJECTED, count, Phase.FRESH, None, failure.retry_after, failure.draw)
    )
    since = record.since if record.standing is Standing.REJECTED else failure.at
    bad = replace(
        record, standing=Standing.REJECTED, since=since, count=count, next_try=failure.at + wait,
        detail=failure.detail,
    )  # fmt: skip
    return _put(keys, record, bad)


def foreign(keys: Keys, record: KeyRecord, now: float, detail: str) -> Keys:
    """It is of another project."""
    bad = replace(record, standing=Standing.FOREIGN, since=now, next_try=NEVER, detail=detail)
    return _put(keys, record, bad)


def changed(keys: Keys, place: Place, generation: int, ref: str) -> Keys:
    """The source of this place holds another key, which replaces one that was new before."""
    old = at(keys, place)
    vacant = old is None or old.standing is Standing.MISSING
    kept = tuple(record for record in keys if record.place is not place or (record.settled and not vacant))
    return preferred((*kept, KeyRecord(generation, ref, place, settled=vacant)))


def reverted(keys: Keys, place: Place) -> Keys:
    """The source of this place holds its settled key again; what was rejected is asked anew."""
    return tuple(
        replace(record, next_try=0.0) if record.standing is Standing.REJECTED and record.place is place else record
        for record in keys
        if record.place is not place or record.settled
    )  # fmt: skip


def dropped(keys: Keys, place: Place) -> Keys:
    """There is no such place any more."""
    return tuple(record for record in keys if record.place is not place)


def _replaced(other: KeyRecord, record: KeyRecord) -> bool:
    return other is not record and other.settled and not record.settled


def _useful(keys: Keys, *, lively: bool) -> Iterable[KeyRecord]:
    return (record for record in preferred(keys) if not (lively and record.ends))


def _put(keys: Keys, old: KeyRecord, new: KeyRecord) -> Keys:
    return tuple(new if record is old else record for record in keys)
