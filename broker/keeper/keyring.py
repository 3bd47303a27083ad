"""All keepers: who is looked after first, and that one identity's trouble stays its own (L12)."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping

import structlog

from broker.core import lease
from broker.core.ports import Clock
from broker.keeper.keeper import Keeper
from broker.keeper.tending import Tending

_log = structlog.get_logger()

# Each takes some 20 microseconds if it rests, 300 if it asks IAM.
_AT_ONCE = 8


class Keyring:
    """The keepers by the names of their identities."""

    def __init__(self, keepers: Mapping[str, Keeper], clock: Clock) -> None:
        self._keepers = dict(keepers)
        self._tending = {name: Tending(keeper) for name, keeper in keepers.items()}
        self._clock = clock
        self._waiting: list[str] = []  # for their part of this tick
        self._next: asyncio.Handle | None = None

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
        """Let every keeper act, now."""
        self._act(self._by_urgency())

    def tick(self) -> None:
        """The same once a second, a few at a time: whoever asks for a token meanwhile does not wait for all of them."""
        if not self._waiting:
            self._waiting = self._by_urgency()
            self._go_on()

    def _go_on(self) -> None:
        now, self._waiting = self._waiting[:_AT_ONCE], self._waiting[_AT_ONCE:]
        self._act(now)
        if self._waiting:
            self._next = asyncio.get_running_loop().call_soon(self._go_on)

    def _act(self, names: Iterable[str]) -> None:
        now = self._clock.now()
        for name in names:
            if (tending := self._tending.get(name)) is None:  # it was taken out meanwhile
                continue
            try:
                tending.tick(now)
            except Exception:  # noqa: BLE001
                # One identity's defect must not cost the others their tick.
                _log.exception("tick_defect", identity=name)

    def _by_urgency(self) -> list[str]:
        """Where the common allowance is short, those without a token come first (L6).

        Among equals, the one that waits longest: or the last of many would never have its turn.
        """
        now = self._clock.now()

        def urgency(name: str) -> tuple[int, float, float]:
            kept = self._keepers[name].lease
            next_try = kept.trouble.next_try if kept.trouble else 0.0
            return -lease.phase(kept, now), next_try, kept.watch.due_at

        return sorted(self._keepers, key=urgency)

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
        if self._next is not None:
            self._next.cancel()
        await asyncio.gather(*(keeper.aclose() for keeper in self._keepers.values()))
