"""A served broker whose clock, IAM, permissions and callers a test holds in its hands."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import aiohttp
from multidict import CIMultiDict, CIMultiDictProxy

from broker.callers import process, unix
from broker.callers.listeners import tcp_listener, unix_listener
from broker.core.access import Verdict, Workload
from broker.core.model import AccessKey
from broker.core.secret import Secret
from broker.keeper.keeper import Keeper
from broker.keeper.keyring import Keyring
from broker.keeper.ledger import Ledger
from broker.keeper.member import Member
from broker.keeper.places import KeyPlace
from broker.keeper.projects import Projects
from broker.keeper.relay import Relay
from broker.keeper.s3_credentials import S3Credentials
from broker.keeper.setting import Allowance, Observer, Setting, Validation
from broker.serving.allowed import Allowed
from broker.serving.application import application
from broker.serving.context import Desk, Policy
from broker.serving.crowd import Crowd
from broker.serving.doorway import Doorway, Face, Gate, Prove, Serve
from broker.serving.drain import Drain
from broker.serving.gates import UNIX_GATES
from broker.serving.site import serving
from tests.core.builders import key
from tests.fakes.clock import FakeClock, settle
from tests.fakes.exchange import USUAL, FakeExchange
from tests.fakes.issuer import FakeIssuer, FakeSource
from tests.fakes.store import FakeStore

ALL = frozenset(Serve)
SOCKET = "the socket"
QUIET = Validation(methods=())


class Ways:
    """Whether houses have the express lane; the tests of this folder run both ways, see `conftest`."""

    lane = True


WAYS = Ways()


def places(most: int) -> Crowd:
    """A crowd without an owner in it, whose proven callers are readers."""
    return Crowd(most, lambda _: False, lambda _: True)


def keys_of(name: str, *, standby: bool) -> list[AccessKey]:
    """The access keys of an identity, in order of preference."""
    return [key(name), key(f"{name}-2")] if standby else [key(name)]


class Readable:
    """A policy that lets everybody read, and so view, the identities named here."""

    def __init__(self, *names: str) -> None:
        self.names = set(names)

    def may_read(self, workload: Workload, identity: str) -> Verdict:
        del workload
        return Verdict(allowed=identity in self.names, by="a list of the test")

    def may_view(self, workload: Workload, identity: str) -> Verdict:
        return self.may_read(workload, identity)

    def reads_anything(self, workload: Workload) -> bool:
        del workload
        return True


@dataclass
class Books:
    """Implements the serving room's `Meter` and `Witness`: keeps all that it is told."""

    requests: list[tuple[str, str, int]] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    tokens: list[tuple[str, str]] = field(default_factory=list)
    told: list[tuple[str, int | None, str, str, float]] = field(default_factory=list)

    def requested(self, listener: str, route: str, status: int, times: int = 1) -> None:
        self.requests += [(listener, route, status)] * times

    def refused(self, reason: str) -> None:
        self.refusals.append(reason)

    def served(self, identity: str, listener: str, times: int = 1) -> None:
        self.tokens += [(identity, listener)] * times

    def lag(self, seconds: float) -> None:
        """Of no interest here."""

    def exposition(self, accept: str, now: float) -> tuple[bytes, str]:
        del now
        return f"asked for {accept}".encode(), "text/plain; version=0.0.4"

    def tell(self, reason: str, caller: Workload | None, listener: str, route: str, now: float) -> None:
        self.told.append((reason, None if caller is None else caller.uid, listener, route, now))


@dataclass
class AuditBook:
    """Implements the serving room's `Auditor`: keeps all that it is told."""

    hand_outs: list[tuple[Workload, str, str, str, float]] = field(default_factory=list)
    what: list[str] = field(default_factory=list)  # each of them was
    refusals: list[tuple[Workload | None, str, str | None, str, str]] = field(default_factory=list)

    def handed(
        self,
        caller: Workload,
        identity: str,
        by: str,
        digest: str,
        life: float,
        now: float,
        times: int = 1,
        what: str = "token",
    ) -> None:
        del now
        self.hand_outs += [(caller, identity, by, digest, life)] * times
        self.what += [what] * times

    def refused(
        self,
        caller: Workload | None,
        listener: str,
        identity: str | None,
        reason: str,
        by: str,
        now: float,
    ) -> None:
        del now
        self.refusals.append((caller, listener, identity, reason, by))


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
    exchanges: dict[str, FakeExchange]
    sources: dict[str, list[FakeSource]]
    stores: dict[str, FakeStore]
    keyring: Keyring
    policy: Policy
    drain: Drain
    desk: Desk
    session: aiohttp.ClientSession

    @property
    def books(self) -> Books:
        """What the meter was told, all that the lane has handed out included."""
        self.desk.allowed.tell()
        return cast("Books", self.desk.meter)

    @property
    def audit(self) -> AuditBook:
        """The same of the audit trail."""
        self.desk.allowed.tell()
        return cast("AuditBook", self.desk.auditor)

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

    async def reject(self, token: str, name: str = "default", prefer: str = "") -> Answer:
        """Report a token by its hash."""
        body = json.dumps({"sha256": Secret(token).sha256()}).encode()
        headers = {"Prefer": prefer} if prefer else {}
        return await self.get(f"/v1/identities/{name}/rejections", "POST", headers, body)

    def ask(
        self, target: str, prefer: str = "", headers: Mapping[str, str] | None = None
    ) -> "asyncio.Task[Answer]":
        """A request that goes on in the background."""
        preferred = {"Prefer": prefer} if prefer else {}
        return asyncio.create_task(self.get(target, headers=preferred | dict(headers or {})))

    def regrant(self, *names: str) -> None:
        """From now on all may read these identities, and no other."""
        assert isinstance(self.policy, Readable)
        self.policy.names = set(names)
        self.desk.allowed.rules_changed()

    async def raw(self, request: bytes) -> bytes:
        """What bytes are answered with, until the broker closes."""
        return await exchange(*await asyncio.open_unix_connection(self.path), request)

    async def issued(self, name: str = "default", life: float = 43200.0, token: str = "") -> None:
        """Give an identity a token, by a look of its keeper and a grant of its IAM."""
        before = self.keyring[name].lease.held
        self.keyring[name].observe()
        await until(lambda: self.issuers[name].calls)
        self.issuers[name].grant(token or f"token-of-{name}", life)
        await until(lambda: self.keyring[name].lease.held is not before)


async def exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> bytes:
    """All that is answered to these bytes, until the broker closes."""
    writer.write(request)
    async with asyncio.timeout(10):
        answer = await reader.read(-1)
    writer.close()
    return answer


def kernel(connection: object) -> Workload | None:
    """The proof of the Unix socket, as the broker is put together with."""
    return unix.prove(cast("process.Connection", connection), SOCKET)


@asynccontextmanager
async def house(
    folder: Path,
    *names: str,
    policy: Policy | None = None,
    prove: Prove = kernel,
    serve: frozenset[Serve] = ALL,
    crowd: Crowd | None = None,
    standby: bool = False,
    validation: Validation = QUIET,
    observers: tuple[Observer, ...] = (),
    facades: tuple[str, ...] = (),
) -> AsyncIterator[House]:
    """Serve these identities on `folder/s`; without a policy, all may read them all.

    Each has a key of its own name, with `standby` a second one. Nothing is validated unless `validation` says so.
    """
    clock = FakeClock()
    issuers = {name: FakeIssuer(clock) for name in names}
    stores = {name: FakeStore() for name in names}
    books, audit = Books(), AuditBook()
    allowed = Allowed(clock, books, audit)
    watching = (allowed.lease_changed, *observers)
    setting = Setting(clock, "host", Allowance(clock.now()), lambda: 0.5, watching, validation=validation)
    ledgers = {name: Ledger() for name in names}
    sources = {name: [FakeSource(each) for each in keys_of(name, standby=standby)] for name in names}
    keepers = {
        name: Keeper(
            name,
            [KeyPlace(each, each.key) for each in sources[name]],
            issuers[name],
            stores[name],
            replace(setting, observers=(*watching, ledgers[name].lease_changed)),
        )
        for name in names
    }
    exchanges = {name: FakeExchange(clock) for name in names}
    s3s = {name: S3Credentials(keepers[name], exchanges[name], clock, USUAL) for name in names}
    members = {
        name: Member(
            keepers[name],
            Projects(keepers[name], issuers[name], clock),
            s3s[name],
            Relay(issuers[name]),
            ledgers[name],
        )
        for name in names
    }
    keyring, path, may = Keyring(keepers, clock), folder / "s", policy or Readable(*names)
    crowd = crowd or Crowd(4096, lambda _: False, may.reads_anything)
    desk = Desk(keyring, members, may, clock, Drain(), books, books, crowd, audit, allowed, facades)
    async with AsyncExitStack() as stack:
        listening: socket.socket = stack.enter_context(unix_listener(path, 0o666))
        stack.push_async_callback(keyring.aclose)
        for member in members.values():
            stack.push_async_callback(member.aclose)
        app = application(desk, Doorway(SOCKET, serve, UNIX_GATES, prove))
        await stack.enter_async_context(serving(app, listening, lane=WAYS.lane))
        connector = aiohttp.UnixConnector(str(path), limit=0)
        session = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))
        yield House(
            path,
            clock,
            issuers,
            exchanges,
            sources,
            stores,
            keyring,
            desk.policy,
            desk.drain,
            desk,
            session,
        )


@dataclass(frozen=True, slots=True)
class TcpDoor:
    """A second listener of the same house."""

    host: str
    port: int
    label: str

    async def raw(self, request: bytes) -> bytes:
        return await exchange(*await asyncio.open_connection(self.host, self.port), request)

    async def ask(self, target: str, *lines: str, host: str | None = "localhost") -> Answer:
        """A request of exactly these header lines; `host` None sends none."""
        head = [f"GET {target} HTTP/1.1", *([] if host is None else [f"Host: {host}"]), *lines]
        answer = await self.raw("\r\n".join([*head, "Connection: close", "", ""]).encode())
        return parsed(answer)


def parsed(answer: bytes) -> Answer:
    """One whole answer from the wire."""
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    fields: CIMultiDict[str] = CIMultiDict()
    for line in lines:
        name, _, value = line.partition(": ")
        fields.add(name, value)
    return Answer(int(status.split()[1]), CIMultiDictProxy(fields), body)


@asynccontextmanager
async def tcp_door(
    broker: House,
    host: str,
    gates: tuple[Gate, ...],
    prove: Prove,
    serve: frozenset[Serve] = ALL,
    faces: tuple[Face, ...] = (),
) -> AsyncIterator[TcpDoor]:
    """Serve the house over TCP too."""
    with tcp_listener(host, 0) as listening:
        port = listening.getsockname()[1]
        label = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        app = application(broker.desk, Doorway(label, serve, gates, prove, faces))
        async with serving(app, listening, lane=WAYS.lane):
            yield TcpDoor(host, port, label)


async def until(condition: Callable[[], object]) -> None:
    """Let the loop turn until something has come about; what comes over a socket comes when the kernel brings it."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  (what is watched knows nothing of events)
            await asyncio.sleep(0.001)
    # What was seen may be the first half of a step, as a waiter before the flight that it waits for.
    await settle()
