"""What is passed on: by the rules of the moment of its answer, and never more of it kept than the broker can bear."""

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from broker.core.model import Passed
from broker.core.secret import Secret
from broker.keeper import relay
from broker.serving import connection
from tests.facade.front import TOKEN, Front, fault, front
from tests.fakes.issuer import FakeIssuer
from tests.serving.house import Answer, Readable, until

AUTH = f"X-Auth-Token: {TOKEN}"
LARGE = Passed(200, "application/json", None, b"x" * 4 * 1024 * 1024)


def held_back(facade: Front, monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """IAM answers what is passed on once this is set."""
    iam, go, ask = facade.house.issuers["default"], asyncio.Event(), FakeIssuer.relay

    async def slow(self: FakeIssuer, token: Secret, method: str, target: str) -> Passed:
        answer = await ask(self, token, method, target)
        await go.wait()
        return answer

    monkeypatch.setattr(FakeIssuer, "relay", slow)
    assert iam.passed == []
    return go


async def refused_after(
    facade: Front, target: str, waits: Callable[[], object], answered: Callable[[], None]
) -> Answer:
    """The grant is taken away while IAM is asked."""
    asking = asyncio.create_task(facade.ask("GET", target, AUTH))
    await until(waits)
    assert isinstance(facade.house.policy, Readable)
    facade.house.policy.names.clear()
    answered()
    return await asking


async def test_who_loses_its_grant_meanwhile_gets_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    async with front(tmp_path, "default") as facade:
        iam, go = facade.house.issuers["default"], held_back(facade, monkeypatch)
        answer = await refused_after(facade, "/v3/users", lambda: iam.passed, go.set)
        assert fault(answer) == (403, "Forbidden")


async def test_who_loses_its_grant_meanwhile_gets_no_list(tmp_path: Path):
    async with front(tmp_path, "default") as facade:
        iam = facade.house.issuers["default"]
        iam.hold_lists = True
        answer = await refused_after(facade, "/v3/auth/projects", lambda: iam.lists, iam.list_out)
        assert fault(answer) == (403, "Forbidden")


async def test_a_large_answer_ends_its_connection_and_a_small_one_does_not(tmp_path: Path):
    """The library keeps the last answer of each connection for as long as that is open."""
    async with front(tmp_path, "default") as facade:
        for body, ends in ((b"{}", False), (LARGE.body, True)):
            facade.house.issuers["default"].answer = Passed(200, None, None, body)
            reader, writer = await asyncio.open_connection(facade.door.host, facade.door.port)
            writer.write(f"GET /v3/users HTTP/1.1\r\nHost: localhost\r\n{AUTH}\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            assert (b"\r\nConnection: close\r\n" in head) == ends
            writer.close()
            await writer.wait_closed()


async def unread(facade: Front) -> asyncio.StreamWriter:
    """Somebody who asks and does not read."""
    link = socket.socket()
    link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    link.setblocking(False)
    await asyncio.get_running_loop().sock_connect(link, (facade.door.host, facade.door.port))
    reader, writer = await asyncio.open_connection(sock=link, limit=1)
    del reader
    writer.write(f"GET /v3/users HTTP/1.1\r\nHost: localhost\r\n{AUTH}\r\n\r\n".encode())
    return writer


@pytest.mark.parametrize("leaves", [True, False], ids=["who leaves", "who is let go"])
async def test_what_nobody_reads_is_bounded_until_its_client_has_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, leaves: bool
):
    monkeypatch.setattr(relay, "MOST_UNREAD", len(LARGE.body))
    monkeypatch.setattr(connection, "ANSWER_SECONDS", 30.0 if leaves else 0.3)
    async with front(tmp_path, "default") as facade:
        passing = facade.house.desk.members["default"].relay
        facade.house.issuers["default"].answer = LARGE
        writer = await unread(facade)
        await until(lambda: passing._unread)
        assert fault(await facade.ask("GET", "/v3/users", AUTH)) == (503, "Service Unavailable")
        if leaves:
            writer.transport.abort()
        await until(lambda: not passing._unread)
        facade.house.issuers["default"].answer = Passed(200, None, None, b"{}")
        assert (await facade.ask("GET", "/v3/users", AUTH)).status == 200
        writer.transport.abort()
