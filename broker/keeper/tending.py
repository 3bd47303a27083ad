"""What a keeper needs beside the lease's own decisions: its sources looked at, its keys' health and its store tended."""

import zlib
from datetime import datetime

import structlog

from broker.core import degraded
from broker.core.degraded import Reason
from broker.core.errors import Fault
from broker.core.keys import KeyRecord, Standing
from broker.keeper import health
from broker.keeper.keeper import Keeper

_log = structlog.get_logger()

# Reading a key costs a few system calls; a second look at a rejected one is worth them each second.
LOOK_EVERY = 5.0  # seconds
SKEW = 30.0  # seconds that the host's clock may be off before it is worth a word


class Tending:
    """One identity's tick."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        # Keys were read a moment ago; many identities do not look all in one second.
        self._look_at = keeper.clock.now() + LOOK_EVERY * zlib.crc32(keeper.lease.identity.encode()) / 2**32
        self._skewed = False  # and told

    def tick(self, now: float) -> None:
        """Once a second."""
        keeper = self._keeper
        keeper.observe()
        if now >= self._look_at or _rejected(keeper):
            self._look_at = now + LOOK_EVERY
            keeper.look_at_keys()
        for record in _settled(keeper):
            keeper.health.ask(record.ref)
            keeper.health.tell(record.ref, record.place.name.lower(), configured_end(keeper, record))
        keeper.remembrance.tick()
        self._tell_skew()

    def _tell_skew(self) -> None:
        """Once, until the clocks agree again."""
        skew, skewed = self._keeper.skew, _skewed(self._keeper)
        if skew is not None and skewed and not self._skewed:
            _log.warning(
                "clock_skew",
                identity=self._keeper.lease.identity,
                seconds=round(skew.total_seconds()),
                detail="tokens do not suffer, logs and other programs do; set this host's clock, as by NTP",
            )
        self._skewed = skewed


def key_risks(keeper: Keeper, record: KeyRecord) -> tuple[str, ...]:
    """What makes a key more dangerous in wrong hands than it need be."""
    return keeper.health.risks(record.ref, configured_end(keeper, record))


def configured_end(keeper: Keeper, record: KeyRecord) -> datetime | None:
    """When a key ends, as the configuration tells it."""
    ends = keeper.places.expires_at
    return ends[record.place] if record.settled and record.place < len(ends) else None


def key_end(keeper: Keeper, record: KeyRecord) -> datetime | None:
    """When a key ends, as far as anybody tells."""
    return keeper.health.end(record.ref, configured_end(keeper, record))


def reasons(keeper: Keeper) -> tuple[Reason, ...]:
    """All that is not in order with an identity."""
    found = list(degraded.reasons(keeper.lease))
    wall = keeper.clock.wall()
    if any(health.soon(key_end(keeper, record), wall) for record in _settled(keeper)):
        found.append(Reason.KEY_EXPIRES_SOON)
    if _skewed(keeper):
        found.append(Reason.CLOCK_SKEW)
    if keeper.remembrance.unwritable is not None:
        found.append(Reason.CACHE_UNWRITABLE)
    return (*found, *keeper.ailments())


def _skewed(keeper: Keeper) -> bool:
    return keeper.skew is not None and abs(keeper.skew.total_seconds()) > SKEW


def _settled(keeper: Keeper) -> list[KeyRecord]:
    return [
        record for record in keeper.lease.keys if record.settled and record.standing is not Standing.MISSING
    ]


def _rejected(keeper: Keeper) -> bool:
    trouble = keeper.lease.trouble
    return trouble is not None and trouble.fault is Fault.REJECTED
