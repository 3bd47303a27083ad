"""A served broker whose clock, IAM and permissions a test holds in its hands."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from multidict import CIMultiDictProxy

from broker import app
from broker.callers.listeners import unix_listener
from broker.core.access import Workload
from broker.keeper.keeper import Allowance, Keeper, Setting
from broker.keeper.keyring import Keyring
from broker.serving.application import application
from broker.serving.context import Policy
from broker.serving.drain import Drain
from tests.core.builders import key
from tests.fakes.clock import FakeClock
from tests.fakes.issuer import FakeIssuer, FakeSource


class Readable:
    """A policy that lets everybody read the identities named here."""

    def __init__(self, *names: str) -> None:
        self.names = set(names)

    def may_read(self, workload: Workload, identity: str) -> bool:
        del workload
        return identity in self.names


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: CIMultiDictProxy[str]
    body: bytes

    @property
    def tree(self) -> dict[str, Any]:
        tree = json.loads(self.body)
        assert isinstance(tree, dict)
        return tree


@dataclass(frozen=True, slots=True)
class House:
    path: Path
    clock: FakeClock
    issuers: dict[str, FakeIssuer]
    keyring: Keyring
    policy: Policy
    drain: Drain
    session: aiohttp.ClientSession

    async def get(
        self,
        target: str,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        data: bytes | None = None,
    ) -> Answer:
        url = f"http://broker{target}"
        async with self.session.request(method, url, headers=headers, data=data) as response:
            return Answer(response.status, response.headers, await response.read())

    def ask(self, target: str, prefer: str = "") -> "asyncio.Task[Answer]":
        """A request that goes on in the background."""
        return asyncio.create_task(self.get(target, headers={"Prefer": prefer} if prefer else None))

    async def raw(self, request: bytes) -> bytes:
        """What bytes are answered with, until the broker closes."""
        reader, writer = await asyncio.open_unix_connection(self.path)
        writer.write(request)
        async with asyncio.timeout(10):
            answer = await reader.read(1 << 20)
        writer.close()
        return answer

    async def issued(self, name: str = "default", life: float = 43200.0) -> None:
        """Give an identity a token, by a look of its keeper and a grant of its IAM."""
        self.keyring[name].observe()
        await until(lambda: self.issuers[name].calls)
        self.issuers[name].grant(f"token-of-{name}", life)
        await until(lambda: self.keyring[name].lease.held)


@asynccontextmanager
async def house(folder: Path, *names: str, policy: Policy | None = None) -> AsyncIterator[House]:
    """Serve these identities on `folder/s`; without a policy, all may read them all."""
    clock = FakeClock()
    issuers = {name: FakeIssuer(clock) for name in names}
    setting = Setting(clock, "host", Allowance(clock.now()), lambda: 0.5)
    keyring = Keyring(
        {name: Keeper(name, FakeSource(key(name)), key(name), issuers[name], setting) for name in names},
        clock,
    )
    policy = policy or Readable(*names)
    drain, path = Drain(), folder / "s"
    async with AsyncExitStack() as stack:
        listener: socket.socket = stack.enter_context(unix_listener(path, 0o666))
        stack.push_async_callback(keyring.aclose)
        await app._serve(application(keyring, policy, clock, drain), [listener], stack)
        connector = aiohttp.UnixConnector(str(path), limit=0)
        session = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))
        yield House(path, clock, issuers, keyring, policy, drain, session)


async def until(condition: Callable[[], object]) -> None:
    """Let the loop turn until something has come about; what comes over a socket comes when the kernel brings it."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  (what is watched knows nothing of events)
            await asyncio.sleep(0.001)
