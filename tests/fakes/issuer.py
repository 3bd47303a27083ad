"""An issuer that answers when, and what, the test says."""

import asyncio

from broker.core.errors import ConfigError, Fault, IamError
from broker.core.model import AccessKey, Reply, Row, Token
from tests.core.builders import reply
from tests.fakes.clock import FakeClock


class FakeIssuer:
    """Implements the port `Issuer`; every request waits in `calls` until the test answers it.

    Lists are answered at once, unless `hold_lists` has them wait in `lists` too.
    """

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.calls: list[tuple[AccessKey, float, asyncio.Future[Reply]]] = []
        self.asked = 0
        self.landed = 0
        self.hold_lists = False
        self.lists: list[asyncio.Future[tuple[Row, ...]]] = []
        self.listed = 0

    async def issue(self, key: AccessKey) -> Reply:
        answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self.calls.append((key, self._clock.now(), answer))
        self.asked += 1
        return await answer

    def grant(self, name: str | None = None, life: float = 43200.0) -> None:
        """Answer the oldest request with a token."""
        _, sent_at, answer = self.calls.pop(0)
        self.landed += 1
        answer.set_result(reply(name or f"token-{self.landed}", sent_at=sent_at, life=life))

    def fail(self, fault: Fault = Fault.UNAVAILABLE, retry_after: float | None = None) -> None:
        """Answer the oldest request with a fault."""
        self.calls.pop(0)[2].set_exception(IamError(fault, f"it is {fault}", retry_after))

    def break_down(self) -> None:
        """Answer the oldest request with a defect."""
        self.calls.pop(0)[2].set_exception(ZeroDivisionError("a defect"))

    def list_out(self, *rows: Row) -> None:
        """Answer the oldest list that waits."""
        self.lists.pop(0).set_result(rows)

    def fail_list(self, fault: Fault = Fault.UNAVAILABLE) -> None:
        """Answer the oldest list that waits with a fault."""
        self.lists.pop(0).set_exception(IamError(fault, f"it is {fault}"))

    async def validate(self, token: Token) -> frozenset[str]:
        return frozenset(role.id for role in token.roles)

    async def projects(self, token: Token) -> tuple[Row, ...]:
        self.listed += 1
        if not self.hold_lists:
            return ({"id": token.project.id, "name": token.project.name},)
        answer: asyncio.Future[tuple[Row, ...]] = asyncio.get_running_loop().create_future()
        self.lists.append(answer)
        return await answer


class FakeSource:
    """Implements the port `KeySource`; holds what the test puts in."""

    where = "a test"

    def __init__(self, key: AccessKey) -> None:
        self.key: AccessKey | None = key

    def read(self) -> AccessKey:
        if self.key is None:
            raise ConfigError
        return self.key
