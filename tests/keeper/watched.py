"""A keeper with validation, two keys if wanted, and a store that survives its restart."""

import asyncio
import hashlib

from broker.core.errors import Fault
from broker.core.reports import Outcome
from broker.keeper.keeper import Keeper
from broker.keeper.reporting import report
from broker.keeper.setting import Validation
from broker.keeper.tending import Tending
from tests.core.builders import key
from tests.fakes.clock import FakeClock, settle
from tests.fakes.issuer import FakeIssuer, FakeSource
from tests.fakes.store import FakeStore
from tests.keeper.build import ON, keeper, setting


def digest(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()


class Watched:
    """Everything in the test's hand; IAM grants by itself unless `manual`."""

    def __init__(self, *refs: str, validation: Validation = ON, store: FakeStore | None = None) -> None:
        self.clock = FakeClock()
        self.issuer = FakeIssuer(self.clock)
        self.sources = [FakeSource(key(ref)) for ref in refs or ("key-1",)]
        self.store = store or FakeStore()
        self.validation = validation
        self.rejects: set[str] = set()  # refs of keys
        self.keeper: Keeper = self._new()
        self._tending = Tending(self.keeper)

    def _new(self) -> Keeper:
        shared = setting(self.clock, validation=self.validation)
        return keeper(shared, self.issuer, *self.sources, store=self.store)

    async def restart(self) -> None:
        """As `kill -9` and a start with the same store; what was under way is gone."""
        await self.keeper.aclose()
        self.issuer.calls.clear()
        self.keeper = self._new()
        self._tending = Tending(self.keeper)
        await self.keeper.restore()

    async def grant(self, **more: object) -> None:
        """Let IAM answer all that it is asked, by what it thinks of the keys."""
        await settle()
        while self.issuer.calls:
            ref = self.issuer.calls[0][0].ref
            if ref in self.rejects:
                self.issuer.fail(Fault.REJECTED)
            else:
                self.issuer.grant(**more)  # type: ignore[arg-type]
            await settle()

    async def tick(self, seconds: float = 0.0) -> None:
        await self.clock.advance(seconds)
        self._tending.tick(self.clock.now())
        await settle()

    async def run(self, seconds: float) -> None:
        """So many seconds of ticks, with IAM answering."""
        for _ in range(int(seconds)):
            await self.tick(1.0)
            await self.grant()

    async def served(self) -> str:
        return (await self.keeper.token(self.clock.now())).token.value.reveal()

    async def look(self) -> None:
        """A look at the sources, to its end."""
        self.keeper.look_at_keys()
        assert self.keeper._looking is not None
        await self.keeper._looking
        await settle()

    def report(self, value: str, wait: float = 5.0) -> "asyncio.Task[Outcome]":
        until = self.clock.now() + wait
        return asyncio.create_task(report(self.keeper, digest(value), until))
