"""What was judged before a change is not remembered after it: an answer may take seconds to reach a caller who reads slowly.

Meanwhile its permission may go, and its token die. It was on its way then; nobody is given it again.
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from broker.core.secret import Secret
from broker.serving.connection import Connection
from tests.fakes.clock import settle
from tests.serving.house import House, until
from tests.serving.test_rejections import DEAD, watched

OF_DEAD = Secret(DEAD).sha256()


def numbered(number: int) -> bytes:
    """A request that nobody has sent before."""
    return b"GET /v1/token HTTP/1.1\r\nHost: x\r\nX: %d\r\n\r\n" % number


@dataclass(frozen=True, slots=True)
class Slow:
    """A caller who has asked and not read, and the request whose answer has not left yet."""

    client: socket.socket
    request: bytes

    async def read(self, broker: House) -> None:
        """Read all that was answered, until the last of it is out."""
        quiet = 0
        while stuck(broker) or quiet < 3:
            quiet += 1
            with contextlib.suppress(BlockingIOError):
                self.client.recv(65_536)
                quiet = 0
            await settle()


def stuck(broker: House) -> bool:
    """Whether the library has an answer that the kernel does not take."""
    links = [guest._link for guest in broker.desk.crowd._inside if isinstance(guest, Connection)]
    return any(link is not None and link.get_write_buffer_size() for link in links)


@asynccontextmanager
async def slow(broker: House) -> AsyncIterator[Slow]:
    """Each of its requests comes by itself, once the one before was judged."""
    with socket.socket(socket.AF_UNIX) as client:
        client.setblocking(False)
        await asyncio.get_running_loop().sock_connect(client, str(broker.path))
        number = 0
        while not stuck(broker):
            number += 1
            told = len(broker.books.tokens)
            client.send(numbered(number))
            await until(lambda told=told: len(broker.books.tokens) > told)  # type: ignore[misc]
        yield Slow(client, numbered(number))


@pytest.mark.parametrize("change", ["its permission goes", "it is found dead", "another takes its place"])
async def test_what_changes_while_an_answer_leaves_holds_for_the_next_request(tmp_path: Path, change: str):
    async with watched(tmp_path) as broker, slow(broker) as one:
        keeper, issuer = broker.keyring["default"], broker.issuers["default"]
        if change == "its permission goes":
            broker.regrant()
        else:
            if change == "it is found dead":
                issuer.dead.add(DEAD)
            keeper.reported(Secret(DEAD).sha256())
            keeper.observe()
            await until(lambda: issuer.calls or change != "it is found dead")
            keeper.reported(Secret(DEAD).sha256())  # which is believed, see test_rejections
            keeper.observe()
            await until(lambda: issuer.calls)
            issuer.grant("the next one")
            await until(lambda: keeper.lease.held is not None and keeper.lease.held.token.digest != OF_DEAD)
        await one.read(broker)
        one.client.send(one.request)
        heard = await asyncio.get_running_loop().sock_recv(one.client, 65_536)
        assert DEAD.encode() not in heard
        assert heard.startswith(b"HTTP/1.1 403 " if change == "its permission goes" else b"HTTP/1.1 200 ")
