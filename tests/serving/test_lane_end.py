"""The end of a site while connections sit in its lane: what was asked is answered, and nothing is left."""

import asyncio
import socket
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from broker.serving.application import application
from broker.serving.doorway import Doorway
from broker.serving.gates import UNIX_GATES
from broker.serving.site import serving
from tests.fakes.clock import settle
from tests.serving.house import ALL, SOCKET, WAYS, House, house, kernel, until
from tests.serving.kept import ASK, TOKEN, Kept, descriptors, heard, stuffed

MANY = 300  # more than have their turn at once
LIVEZ = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"


class Door:
    """A second listener of a house, which can be shut while the house stands."""

    def __init__(self, broker: House, path: Path) -> None:
        self.path = str(path)
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(self.path)
        self._listening.listen(1024)
        app = application(broker.desk, Doorway(SOCKET, ALL, UNIX_GATES, kernel))
        self.site = serving(app, self._listening, lane=WAYS.lane)


async def test_what_waits_in_the_kernel_when_the_site_ends_is_answered(tmp_path: Path):
    """However many they are; without the lane the loop has read it by then."""
    async with house(tmp_path, "default") as broker:
        await broker.issued()
        files = descriptors()
        door = Door(broker, tmp_path / "short")
        async with AsyncExitStack() as clients:
            async with door.site:
                kept_ones = []
                for _ in range(MANY):
                    reader, writer = await asyncio.open_unix_connection(door.path)
                    clients.callback(writer.close)
                    kept_ones.append(Kept(reader, writer))
                    assert (await kept_ones[-1].ask()).status == 200
                for each in kept_ones:
                    each.writer.write(ASK)
                if not WAYS.lane:
                    await asyncio.sleep(0)
            answers = [await each.hear() for each in kept_ones]
            assert {answer.status for answer in answers} == {200}
            assert {await each.reader.read() for each in kept_ones} == {b""}
        await until(lambda: not broker.desk.crowd.inside)
        assert len(broker.books.tokens) == 2 * MANY
        await until(lambda: descriptors() == files)


@pytest.mark.parametrize("request_", [LIVEZ, ASK[:-2] + b"X: a\r\n\r\n"])
async def test_what_the_lane_gives_to_the_library_when_the_site_ends_is_answered_too(
    tmp_path: Path, request_: bytes
):
    async with house(tmp_path, "default") as broker:
        await broker.issued()
        door = Door(broker, tmp_path / "short")
        async with AsyncExitStack() as clients:
            async with door.site:
                reader, writer = await asyncio.open_unix_connection(door.path)
                clients.callback(writer.close)
                one = Kept(reader, writer)
                assert (await one.ask()).status == 200
                await settle()
                writer.write(request_)
                await asyncio.sleep(0)
            assert (await one.hear()).status == 200


async def test_who_reads_slowly_when_the_site_ends_has_a_last_moment(tmp_path: Path):
    async with house(tmp_path, "default") as broker:
        await broker.issued()
        door = Door(broker, tmp_path / "short")
        with socket.socket(socket.AF_UNIX) as client:
            client.setblocking(False)
            async with asyncio.TaskGroup() as group:
                async with door.site:
                    await asyncio.get_running_loop().sock_connect(client, door.path)
                    asked = await stuffed(broker, client)
                    reading = group.create_task(heard(client, asked - 1))
                assert (await reading).count(TOKEN) >= asked - 1


async def test_one_that_comes_back_while_the_site_ends_is_closed(tmp_path: Path):
    """The library has just answered; its socket is neither left open nor watched by anybody."""
    async with house(tmp_path, "default") as broker:
        await broker.issued()
        for turns in range(12):
            tasks, files = len(asyncio.all_tasks()), descriptors()
            door = Door(broker, tmp_path / f"short{turns}")
            with socket.socket(socket.AF_UNIX) as client:
                client.setblocking(False)
                async with door.site:
                    client.connect(door.path)
                    client.send(ASK)
                    for _ in range(turns):
                        await asyncio.sleep(0)
                await until(lambda: not broker.desk.crowd.inside)
            await until(lambda tasks=tasks: len(asyncio.all_tasks()) == tasks)  # type: ignore[misc]
            await until(lambda files=files: descriptors() == files)  # type: ignore[misc]
            broker.regrant("default")
