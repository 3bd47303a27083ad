"""Keystone as the broker asks it: issue, validate, list projects, look at a key, and pass on (ports `Issuer`, `Forwarder`).

- A token's life is counted from before its request left, so the clock is read before anything else happens.
- Every request has its deadline, the list of projects one for all its pages too; cancellation passes untouched.
- The token is sent to the origin of `Endpoint.url` and nowhere else, whatever a link in an answer says.
- An answer that repeats what it was asked with, as a proxy made for debugging may do, is not passed on.
- What is passed on for clients has connections of its own: however many ask, an issue never waits for one of them (L3).
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Self, TypeVar
from urllib.parse import quote

from broker.core.errors import Fault, IamError
from broker.core.model import AccessKey, KeyFacts, Passed, Reply, Row, Token, Validity
from broker.core.ports import Clock
from broker.core.secret import Secret, wipe
from broker.issuer import wire
from broker.issuer.document import odd
from broker.issuer.endpoint import CONNECTIONS, READ, Endpoint
from broker.issuer.faults import Operation, refusal
from broker.issuer.reply import parse_reply, parse_validity
from broker.outward.address import next_url
from broker.outward.headers import Headers, sole
from broker.outward.observed import OnRequest, nobody, observed
from broker.outward.transport import Answer, Transport

__all__ = ["Endpoint", "Keystone"]

MAX_PAGES = 100
MAX_ROWS = 10_000
# All pages of a list together may take this many times the time-out of one request.
LIST_PATIENCE = 6

# Connections for what is passed on for clients.
_RELAYS = 4
# What leads elsewhere is not passed on: it would only tell where IAM lies behind its address. Nor is a proxy's wish for a
# login, which is the broker's own trouble.
_PASSED = frozenset(range(200, 600)) - frozenset(range(300, 400)) - {407}

_EXPECTED = {
    Operation.ISSUE: {201},
    Operation.VALIDATE: {200},
    Operation.PROJECTS: {200},
    Operation.KEY: {200},
    Operation.RELAY: _PASSED,
}

T = TypeVar("T")


class Keystone:
    """The only caller of IAM; an async context manager that owns its connections."""

    def __init__(self, endpoint: Endpoint, clock: Clock, on_request: OnRequest = nobody) -> None:
        self._endpoint = endpoint
        self._clock = clock
        self._on_request = on_request
        self._transport = Transport(endpoint, CONNECTIONS, READ)
        self._passing = Transport(endpoint, _RELAYS, _PASSED)

    async def __aenter__(self) -> Self:
        """Raises ConfigError when the CA file cannot be used."""
        await self._transport.__aenter__()
        await self._passing.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._passing.__aexit__(*error)
        await self._transport.__aexit__(*error)

    async def issue(self, key: AccessKey) -> Reply:
        """Trade an access key for a new token. Raises IamError."""

        def parse(answer: Answer, sent_at: float) -> Reply:
            if key.secret.is_in(answer.body):
                # The body is passed on to workloads.
                odd("it repeats the access key's secret")
            return parse_reply(answer.status, answer.headers, answer.body, sent_at)

        body = wire.issue_body(key)
        try:
            return await self._ask(Operation.ISSUE, f"{self._endpoint.url}/auth/tokens", parse, body=body)
        finally:
            wipe(body)

    async def validate(self, token: Token) -> Validity:
        """What a living token has now. Raises IamError."""
        value = token.value.reveal()
        return await self._ask(
            Operation.VALIDATE,
            f"{self._endpoint.url}/auth/tokens?nocatalog",
            lambda answer, _: parse_validity(answer.status, answer.headers, answer.body),
            headers={"X-Auth-Token": value, "X-Subject-Token": value},
        )

    async def projects(self, token: Token) -> tuple[Row, ...]:
        """All projects of the token's user, following pages. Raises IamError."""
        until = asyncio.get_running_loop().time() + LIST_PATIENCE * self._endpoint.timeout
        headers = {"X-Auth-Token": token.value.reveal()}
        url: str | None = f"{self._of_user(token)}/projects"
        seen: set[str] = set()
        rows: list[Row] = []
        while url is not None:
            if url in seen or len(seen) >= MAX_PAGES:
                raise IamError(Fault.PROTOCOL, "IAM's project list does not end; is iam.url right?")
            seen.add(url)
            page, url = await self._ask(
                Operation.PROJECTS, url, partial(self._page, token), headers=headers, until=until
            )
            rows += page
            if len(rows) > MAX_ROWS:
                raise IamError(
                    Fault.PROTOCOL, "IAM's project list is longer than 10,000 rows; is iam.url right?"
                )
        return tuple(rows)

    async def key_facts(self, token: Token) -> KeyFacts:
        """What IAM knows of the key behind the token, which only its owner may ask. Raises IamError."""
        if token.key_id is None:
            raise IamError(
                Fault.PROTOCOL,
                "IAM did not name the access key in its token, so the key cannot be asked for; see it in the console",
            )
        return await self._ask(
            Operation.KEY,
            f"{self._of_user(token)}/application_credentials/{quote(token.key_id, safe='')}",
            lambda answer, _: wire.parse_key_facts(answer.body),
            headers={"X-Auth-Token": token.value.reveal()},
        )

    async def relay(self, token: Secret, method: str, target: str) -> Passed:
        """Pass a GET or HEAD for anything else on. Raises IamError where there is no answer to pass back.

        `target` begins with `/` and is what stands behind the path of IAM's URL, with its query.
        """

        def passed(answer: Answer, _: float) -> Passed:
            headers = answer.headers
            return Passed(
                answer.status, _plain(headers, "Content-Type"), _plain(headers, "Retry-After"), answer.body
            )

        return await self._ask(
            Operation.RELAY,
            self._endpoint.url + target,
            passed,
            headers={"X-Auth-Token": token.reveal()},
            method=method,
        )

    def _of_user(self, token: Token) -> str:
        return f"{self._endpoint.url}/users/{quote(token.user.id, safe='')}"

    def _page(self, token: Token, answer: Answer, _: float) -> tuple[tuple[Row, ...], str | None]:
        """One page, and where the next one is on our own origin."""
        if token.value.is_in(answer.body):
            odd("it repeats the token")
        page, link = wire.parse_projects(answer.body)
        if link is None:
            return page, None
        url = next_url(self._endpoint.url, link)
        if url is None:
            raise IamError(
                Fault.PROTOCOL,
                "IAM's project list goes on outside iam.url; set iam.url to the address IAM gives itself",
            )
        return page, url

    async def _ask(
        self,
        operation: Operation,
        url: str,
        parse: Callable[[Answer, float], T],
        headers: dict[str, str] | None = None,
        body: bytearray | None = None,
        until: float = float("inf"),
        method: str = "GET",
    ) -> T:
        """One request, understood or refused, and told to the observer."""
        transport = self._passing if operation is Operation.RELAY else self._transport
        told = {"Content-Type": "application/json", **(headers or {})}
        with observed(self._on_request, operation.value, self._clock) as sent_at:
            deadline = min(until, asyncio.get_running_loop().time() + self._endpoint.timeout)
            answer = await transport.exchange(method if body is None else "POST", url, told, body, deadline)
            if answer.status not in _EXPECTED[operation]:
                raise refusal(operation, answer.status, answer.headers, answer.body)
            return parse(answer, sent_at)


def _plain(headers: Headers, name: str) -> str | None:
    """A header that can be written as it was read: other bytes than ASCII would break the client's connection."""
    value = sole(headers, name)
    return value if value is not None and value.isascii() and value.isprintable() else None
