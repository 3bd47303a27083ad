"""A house with the facade on a loopback port, and a client of Keystone that says what each test says."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from broker.core.access import Workload
from broker.core.secret import Secret
from broker.facade.keystone import KEYSTONE
from broker.keeper.setting import Validation
from broker.serving.context import Desk
from broker.serving.gates import loopback_gates
from tests.serving.house import Answer, House, Readable, TcpDoor, house, parsed, tcp_door, until

CALLER = Workload(uid=1234, gid=None, pid=None, listener="over TCP")
TOKEN = "token-of-default"
PLACEHOLDER = "anything"
VALIDATED = Validation()


class OneSecret:
    """Implements the serving room's `ClientSecrets`: one for the identities that have one."""

    def __init__(self, secrets: dict[str, str]) -> None:
        self._secrets = secrets

    def accepts(self, identity: str, given: Secret, now: float) -> bool:
        del now
        wanted = self._secrets.get(identity)
        return given.reveal() != "" if wanted is None else given == Secret(wanted)

    def wanted(self, identity: str) -> bool:
        return identity in self._secrets


@dataclass
class Front:
    """The facade, and whoever calls it next."""

    house: House
    door: TcpDoor
    callers: list[Workload | None]

    def calls(self, caller: Workload | None) -> None:
        """Who calls from now on."""
        self.callers[0] = caller

    async def ask(self, method: str, target: str, *lines: str, body: bytes | None = None) -> Answer:
        """A request of these header lines."""
        length = [] if body is None else [f"Content-Length: {len(body)}"]
        head = [f"{method} {target} HTTP/1.1", "Host: 127.0.0.1:9780", *lines, *length, "Connection: close"]
        raw = "\r\n".join([*head, "", ""]).encode("utf-8", "surrogateescape") + (body or b"")
        return parsed(await self.door.raw(raw))

    async def post(self, tree: object, target: str = "/identity/v3/auth/tokens") -> Answer:
        """Ask for a token."""
        return await self.ask(
            "POST", target, "Content-Type: application/json", body=json.dumps(tree).encode()
        )

    async def login(self, identity: str = "default", secret: str = PLACEHOLDER, **more: object) -> Answer:
        """Ask by an application credential's id."""
        return await self.post(credential({"id": identity, "secret": secret}, **more))

    async def with_token(self, token: str, **more: object) -> Answer:
        """Ask by a token."""
        identity = {"methods": ["token"], "token": {"id": token}}
        return await self.post({"auth": {"identity": identity, **more}})


def credential(given: dict[str, Any], **more: object) -> dict[str, Any]:
    """The body of a request by an application credential."""
    identity = {"methods": ["application_credential"], "application_credential": given}
    return {"auth": {"identity": identity, **more}}


def fault(answer: Answer) -> tuple[int, str]:
    """The status and title of one of Keystone's errors."""
    error = answer.tree["error"]
    assert set(error) == {"code", "message", "title"}
    assert error["code"] == answer.status
    assert answer.headers["Content-Type"].startswith("application/json")
    return answer.status, error["title"]


@asynccontextmanager
async def front(
    folder: Path,
    *names: str,
    may: tuple[str, ...] | None = None,
    secrets: dict[str, str] | None = None,
    validation: Validation = VALIDATED,
) -> AsyncIterator[Front]:
    """Serve these identities; `may`: those that the caller may read, by default all. Their tokens were validated once."""
    callers: list[Workload | None] = [CALLER]
    policy = Readable(*(names if may is None else may))
    async with house(
        folder, *names, policy=policy, validation=validation or Validation(methods=())
    ) as broker:
        for name in names:
            await broker.issued(name)
        await broker.clock.advance(2)
        broker.keyring.observe()
        if validation.methods:
            await until(lambda: all(broker.keyring[name].lease.watch.evidence for name in names))
        await broker.clock.advance(0.5)
        desk: Desk = replace(broker.desk, client_secrets=OneSecret(secrets or {}))
        served = replace(broker, desk=desk)
        gates = loopback_gates(frozenset())
        async with tcp_door(served, "127.0.0.1", gates, lambda _: callers[0], faces=(KEYSTONE,)) as door:
            yield Front(served, door, callers)
