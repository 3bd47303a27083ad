"""A client that was refused asks again by the connection that it has: for it a validation is left, however many have just started."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from broker.keeper.setting import Validation
from tests.facade.front import PLACEHOLDER, TOKEN, Front, credential, front
from tests.serving.house import until

BODY = json.dumps(credential({"id": "default", "secret": PLACEHOLDER})).encode()
HEAD = "POST /v3/auth/tokens HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


class Session:
    """A client that keeps its connection, as the libraries do."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def login(self) -> str:
        """The token that it is given."""
        self._writer.write(f"{HEAD}Content-Length: {len(BODY)}\r\n\r\n".encode() + BODY)
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        assert head[0].startswith("HTTP/1.1 201 ")
        fields = dict(line.split(": ", 1) for line in head[1:-2])
        await self._reader.readexactly(int(fields["Content-Length"]))
        return fields["x-subject-token"]


@asynccontextmanager
async def session(facade: Front) -> AsyncIterator[Session]:
    reader, writer = await asyncio.open_connection(facade.door.host, facade.door.port)
    try:
        yield Session(reader, writer)
    finally:
        writer.close()
        await writer.wait_closed()


async def started(facade: Front, count: int, every: float) -> None:
    """So many runs of a command line, one after the other."""
    for _ in range(count):
        asking = asyncio.create_task(facade.login())
        await until(lambda: facade.house.clock.waiting or asking.done())  # noqa: B023
        await facade.house.clock.advance(every)
        await asking


@pytest.mark.parametrize(("count", "every"), [(60, 0.01), (300, 2.0)], ids=["at once", "for long"])
async def test_who_was_refused_gets_another_token_beside_a_loop_of_commands(
    tmp_path: Path, count: int, every: float
):
    """Rule: neither the identity's budget of validations nor the user's own is used up by who has just started."""
    async with (
        front(tmp_path, "default", validation=Validation(every=3600.0)) as facade,
        session(facade) as client,
    ):
        iam = facade.house.issuers["default"]
        await started(facade, count, every)
        assert await client.login() == TOKEN
        iam.dead.add(TOKEN)
        again = asyncio.create_task(client.login())
        await until(lambda: iam.calls or again.done())
        assert not again.done(), "it was given the dead one again"
        iam.grant("the new one")
        assert await again == "the new one"


async def test_a_client_that_asks_without_end_stays_within_the_budget(tmp_path: Path):
    async with (
        front(tmp_path, "default", validation=Validation(every=3600.0)) as facade,
        session(facade) as client,
    ):
        for _ in range(60):
            await facade.house.clock.advance(0.01)
            assert await client.login() == TOKEN
        assert len(facade.house.issuers["default"].validated) <= 5  # the burst
