"""All keepers: who is looked after first, and that one identity's trouble stays its own (L12)."""

import asyncio
from collections.abc import Iterator, Mapping

import structlog

from broker.core import lease
from broker.core.ports import Clock
from broker.keeper.keeper import Keeper
from broker.keeper.tending import Tending

_log = structlog.get_logger()


class Keyring:
    """The keepers by the names of their identities."""

    def __init__(self, keepers: Mapping[str, Keeper], clock: Clock) -> None:
        self._keepers = dict(keepers)
        self._tending = {name: Tending(keeper) for name, keeper in keepers.items()}
        self._clock = clock

    def __iter__(self) -> Iterator[str]:
        return iter(self._keepers)

    def __getitem__(self, identity: str) -> Keeper:
        return self._keepers[identity]

    def add(self, identity: str, keeper: Keeper) -> None:
        """One more identity."""
        self._keepers[identity] = keeper
        self._tending[identity] = Tending(keeper)

    def take(self, identity: str) -> Keeper:
        """One identity less; the caller ends its keeper."""
        del self._tending[identity]
        return self._keepers.pop(identity)

    def observe(self) -> None:
        """Let every keeper act; where the common allowance is short, those without a token come first (L6).

        Among equals, the one that waits longest: or the last of many would never have its turn.
        """
        now = self._clock.now()

        def urgency(item: tuple[str, Keeper]) -> tuple[int, float, float]:
            kept = item[1].lease
            next_try = kept.trouble.next_try if kept.trouble else 0.0
            return -lease.phase(kept, now), next_try, kept.watch.due_at

        for name, _ in sorted(self._keepers.items(), key=urgency):
            try:
                self._tending[name].tick(now)
            except Exception:  # noqa: BLE001
                # One identity's defect must not cost the others their tick.
                _log.exception("tick_defect", identity=name)

    def woke(self) -> None:
        """The machine has slept: every token is looked at anew."""
        for keeper in self._keepers.values():
            keeper.woke()

    def look_at_keys(self) -> None:
        """Look at all sources of keys, now."""
        for keeper in self._keepers.values():
            keeper.look_at_keys()

    def end(self, by: float) -> None:
        """Nobody waits beyond this moment of the clock; who waits for a change looks up now."""
        for keeper in self._keepers.values():
            keeper.end(by)

    async def aclose(self) -> None:
        """End everything under way."""
        await asyncio.gather(*(keeper.aclose() for keeper in self._keepers.values()))
