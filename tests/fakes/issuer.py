"""An issuer that answers when, and what, the test says."""

import asyncio
from dataclasses import replace

from broker.core.errors import ConfigError, Fault, IamError
from broker.core.model import AccessKey, KeyFacts, Passed, Reply, Row, Token, Validity
from broker.core.secret import Secret
from tests.core.builders import reply
from tests.fakes.clock import FakeClock


class FakeIssuer:
    """Implements the ports `Issuer` and `Forwarder`; every request waits in `calls` until the test answers it.

    Lists are answered at once, unless `hold_lists` has them wait in `lists` too; so are validations, by `roles` and
    `dead`, unless `hold_checks` has them wait in `checks`.
    """

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.calls: list[tuple[AccessKey, float, asyncio.Future[Reply]]] = []
        self.asked = 0
        self.landed = 0
        self.hold_lists = False
        self.lists: list[asyncio.Future[tuple[Row, ...]]] = []
        self.listed = 0
        self.hold_checks = False
        self.checks: list[tuple[Token, asyncio.Future[Validity]]] = []
        self.validated: list[str] = []  # the values of the tokens
        self.verdict: IamError | None = None  # what validations are answered with instead
        self.list_verdict: IamError | None = None
        self.dead: set[str] = set()  # values of tokens
        self.roles: frozenset[str] | None = None  # None: those of the token
        self.facts: KeyFacts | IamError | None = None
        self.passed: list[tuple[str, str, str]] = []  # method, target and token of what was passed on
        self.answer: Passed | IamError = Passed(200, "application/json", None, b"{}")

    async def issue(self, key: AccessKey) -> Reply:
        answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self.calls.append((key, self._clock.now(), answer))
        self.asked += 1
        return await answer

    def grant(self, name: str | None = None, life: float = 43200.0, **token: object) -> None:
        """Answer the oldest request with a token; `token` gives fields of it."""
        _, sent_at, answer = self.calls.pop(0)
        self.landed += 1
        given = reply(name or f"token-{self.landed}", sent_at=sent_at, life=life)
        answer.set_result(replace(given, token=replace(given.token, **token)))  # type: ignore[arg-type]

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

    async def validate(self, token: Token) -> Validity:
        value = token.value.reveal()
        self.validated.append(value)
        if self.hold_checks:
            answer: asyncio.Future[Validity] = asyncio.get_running_loop().create_future()
            self.checks.append((token, answer))
            return await answer
        if self.verdict is not None:
            raise self.verdict
        if value in self.dead:
            raise IamError(Fault.REJECTED, "it is dead")
        return Validity(self.roles or frozenset(role.id for role in token.roles), None)

    async def key_facts(self, token: Token) -> KeyFacts:
        del token
        if isinstance(self.facts, IamError):
            raise self.facts
        return self.facts or KeyFacts(None, None, access_rules=False)

    async def relay(self, token: Secret, method: str, target: str) -> Passed:
        self.passed.append((method, target, token.reveal()))
        if isinstance(self.answer, IamError):
            raise self.answer
        return self.answer

    async def projects(self, token: Token) -> tuple[Row, ...]:
        self.listed += 1
        if self.list_verdict is not None:
            raise self.list_verdict
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
