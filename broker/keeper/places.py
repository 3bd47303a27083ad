"""The access keys of one identity, where they come from, and which of them a lease speaks of.

A lease knows generations; here are the keys that they stand for. A source that cannot be read, for a moment or longer,
changes nothing: the key that was read before stays.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog

from broker.core import keys
from broker.core.errors import ConfigError
from broker.core.events import KeyChanged, KeyReverted
from broker.core.keys import Keys, Place, Standing
from broker.core.model import AccessKey
from broker.core.ports import Clock, KeySource

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class KeyPlace:
    """One source of a key, with what it gave at start."""

    source: KeySource
    key: AccessKey | None  # None: it had no readable key
    expires_at: datetime | None = None  # the key's own end, where the configuration tells it


def openers(known: Keys) -> tuple[int, ...]:
    """The generations of the keys that are of this identity's project, as far as is known."""
    return tuple(record.generation for record in known if record.standing is not Standing.FOREIGN)


class Places:
    """Belongs to one event loop."""

    def __init__(self, identity: str, places: Sequence[KeyPlace], clock: Clock) -> None:
        self._identity = identity
        self._clock = clock
        self._sources = [place.source for place in places]
        self.expires_at = [place.expires_at for place in places]
        self._keys = {place + 1: given.key for place, given in enumerate(places) if given.key is not None}
        self._next = len(Place) + 1
        self._unreadable: set[Place] = {
            place for place, given in zip(Place, places, strict=False) if not given.key
        }

    def settled(self) -> Keys:
        """What a new lease starts with."""
        given = (self._keys.get(place + 1) for place in self.all())
        return keys.settled(None if key is None else key.ref for key in given)

    def all(self) -> list[Place]:
        """The places that the configuration has."""
        return list(Place)[: len(self._sources)]

    def key(self, generation: int) -> AccessKey:
        """The key of a generation that a lease has."""
        return self._keys[generation]

    def wanted(self, known: Keys) -> tuple[AccessKey, ...]:
        """The keys that may open what is kept: a foreign one must not, or it would find another project's token."""
        return tuple(self._keys[generation] for generation in openers(known) if generation in self._keys)

    def label(self, known: Keys, ref: str) -> str:
        """What people call the key of this ref, else the first one."""
        named = [self._keys[record.generation] for record in known if record.generation in self._keys]
        return next((key.label for key in named if key.ref == ref), named[0].label if named else "")

    def replace(self, places: Sequence[KeyPlace]) -> None:
        """Other sources from now on; their keys are found by the next look."""
        self._sources = [place.source for place in places]
        self.expires_at = [place.expires_at for place in places]

    async def look(self, place: Place, known_now: Callable[[], Keys]) -> KeyChanged | KeyReverted | None:
        """What has become of the key of this place; reads in a thread, one at a time."""
        key = await self._read(place)
        if key is None:
            return None
        known = known_now()  # much may have happened meanwhile
        new, old = keys.at(known, place, new=True), keys.at(known, place)
        if new is not None and key == self._keys[new.generation]:
            return None
        now = self._clock.now()
        if old is not None and key == self._keys.get(old.generation):
            return KeyReverted(now, place) if new is not None else None
        generation, self._next = self._next, self._next + 1
        self._keys[generation] = key
        return KeyChanged(now, place, generation, key.ref)

    def forget(self, known: Keys) -> None:
        """Keep no key that no lease speaks of."""
        left = {record.generation for record in known}
        self._keys = {generation: key for generation, key in self._keys.items() if generation in left}

    async def _read(self, place: Place) -> AccessKey | None:
        if place >= len(self._sources):
            return None  # a reload has taken it away
        source = self._sources[place]
        try:
            key = await asyncio.to_thread(source.read)
        except ConfigError as error:
            self._tell(place, str(error))
            return None
        self._unreadable.discard(place)
        return key if self._sources[place : place + 1] == [source] else None

    def names(self, ref: str) -> bool:
        """Whether a key of this ref was read at start."""
        return any(key.ref == ref for key in self._keys.values())

    def _tell(self, place: Place, problem: str) -> None:
        """Once, until it can be read again."""
        if place not in self._unreadable:
            self._unreadable.add(place)
            _log.warning(
                "key_unreadable", identity=self._identity, key=place.name.lower(), problem=problem,
                detail="the key that was read before stays in use",
            )  # fmt: skip
