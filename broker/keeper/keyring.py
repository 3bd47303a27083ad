"""All keepers: who is looked after first, and that one identity's trouble stays its own (L12)."""

import asyncio
from collections.abc import Iterator, Mapping

from broker.core import lease
from broker.core.errors import Fault
from broker.core.ports import Clock
from broker.keeper.keeper import Keeper


class Keyring:
    """The keepers by the names of their identities."""

    def __init__(self, keepers: Mapping[str, Keeper], clock: Clock) -> None:
        self._keepers = dict(keepers)
        self._clock = clock

    def __iter__(self) -> Iterator[str]:
        return iter(self._keepers)

    def __getitem__(self, identity: str) -> Keeper:
        return self._keepers[identity]

    def observe(self) -> None:
        """Let every keeper act; where the common allowance is short, those without a token come first (L6).

        Among equals, the one that waits longest: or the last of many would never have its turn.
        """
        now = self._clock.now()

        def urgency(keeper: Keeper) -> tuple[int, float]:
            trouble = keeper.lease.trouble
            return -lease.phase(keeper.lease, now), trouble.next_try if trouble else 0.0

        for keeper in sorted(self._keepers.values(), key=urgency):
            keeper.observe()
            trouble = keeper.lease.trouble
            if trouble is not None and trouble.fault is Fault.REJECTED:
                keeper.reread_key()

    def end(self, by: float) -> None:
        """Nobody waits beyond this moment of the clock; who waits for a change looks up now."""
        for keeper in self._keepers.values():
            keeper.end(by)

    async def aclose(self) -> None:
        """End everything under way."""
        await asyncio.gather(*(keeper.aclose() for keeper in self._keepers.values()))
