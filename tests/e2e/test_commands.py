"""The commands of daily use against a running broker, over the socket and over loopback TCP alike."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.contracts.fake_world import FakeWorld
from tests.e2e import keys
from tests.e2e.command import BROKER, ROOT, broker, environment
from tests.e2e.conftest import Figures
from tests.e2e.daemon import Daemon, free_port
from tests.e2e.spoken import SPOKEN

pytestmark = pytest.mark.e2e

LIFE = 10  # seconds
LINE = 25.0  # seconds; more than two lives


@asynccontextmanager
async def _world(
    folder: Path, life: float = 12 * 3600
) -> AsyncIterator[tuple[FakeWorld, Daemon, list[dict[str, str]]]]:
    """An IAM, a broker that is not started, and the environment of a client for each way to it."""
    port = free_port()
    async with FakeWorld.serving(life=life) as world:
        owner = await world.add_user()
        await world.join_project(owner)
        identities = {"default": {"keys": [keys.directory(folder / "key", await world.add_key(owner))]}}
        listen = [{"tcp": f"127.0.0.1:{port}"}]
        daemon = Daemon(folder / "b", iam={"url": world.url}, identities=identities, listen=listen)
        places = (f"unix://{daemon.socket}", f"http://127.0.0.1:{port}")
        yield world, daemon, [{"KAKAOCLOUD_BROKER_URL": place} for place in places]


class Endless:
    """A command that goes on until it is ended, read line by line."""

    def __init__(self, child: asyncio.subprocess.Process) -> None:
        self._child = child

    @classmethod
    @asynccontextmanager
    async def running(cls, own: Mapping[str, str], *arguments: str) -> AsyncIterator["Endless"]:
        pipe = asyncio.subprocess.PIPE
        child = await asyncio.create_subprocess_exec(
            *BROKER, *arguments, cwd=ROOT, env=environment(own), stdout=pipe, stderr=pipe
        )
        try:
            yield cls(child)
        finally:
            if child.returncode is None:
                child.kill()
            await child.communicate()

    async def line(self) -> str:
        assert self._child.stdout
        line = await asyncio.wait_for(self._child.stdout.readline(), LINE)
        return line.decode().removesuffix("\n")

    async def token(self) -> str:
        """A line that is a token, a secret from then on."""
        token = await self.line()
        SPOKEN.guard(token, "a token")
        return token

    async def sentence(self) -> str:
        """A line of stderr."""
        assert self._child.stderr
        line = await asyncio.wait_for(self._child.stderr.readline(), LINE)
        SPOKEN.said("stderr of an endless command", line.decode())
        return line.decode().removesuffix("\n")

    async def end(self, number: signal.Signals) -> tuple[int | None, str]:
        """Its exit code after this signal, and what it wrote to stderr beside the sentences that were read."""
        self._child.send_signal(number)
        _, err = await asyncio.wait_for(self._child.communicate(), LINE)
        SPOKEN.said("stderr of an endless command", err.decode())
        return self._child.returncode, err.decode()


async def test_follow_sees_each_new_token_and_outlives_the_broker(tmp_path: Path, figures: Figures) -> None:
    """Rule: by both ways the same tokens, each once; a broker that goes and comes is one sentence, and a new token."""
    follow = ("token", "--follow", "--min-ttl", "1s", "--timeout", "10s")
    async with (
        _world(tmp_path, LIFE) as (_, daemon, ways),
        daemon,
        Endless.running(ways[0], *follow) as socket,
        Endless.running(ways[1], *follow) as tcp,
    ):
        first = await asyncio.gather(socket.token(), tcp.token())
        second = await asyncio.gather(socket.token(), tcp.token())
        assert first[0] == first[1] != second[0] == second[1]
        daemon.send(signal.SIGTERM)
        assert await daemon.ended() == 0
        # A broker that is back within a second is not missed, so here it stays away until it is.
        told = await asyncio.gather(socket.sentence(), tcp.sentence())
        assert all("following on" in sentence for sentence in told), told
        await daemon.start()
        third = await asyncio.gather(socket.token(), tcp.token())
        assert third[0] == third[1]
        assert third[0] not in {*first, *second}
        ends = await asyncio.gather(socket.end(signal.SIGINT), tcp.end(signal.SIGTERM))
        assert set(ends) == {(0, "")}
    figures(told_meanwhile=told)


async def test_wait_begins_before_the_broker_does(tmp_path: Path, figures: Figures) -> None:
    """Rule: it waits for a broker that is not there yet and for the token; it tells why it gave up, and what is no name."""
    async with _world(tmp_path) as (world, daemon, ways):
        absent = await asyncio.gather(*(broker("wait", "--timeout", "0", own=way) for way in ways))
        assert [ended.code for ended in absent] == [69, 69]
        hang = world.iam.faults.add("hang:on=issue")
        early = [asyncio.create_task(broker("wait", "default", "--timeout", "25s", own=way)) for way in ways]
        async with daemon:
            empty = await asyncio.gather(*(broker("wait", "--timeout", "0", own=way) for way in ways))
            assert [ended.code for ended in empty] == [69, 69], empty
            assert not any(task.done() for task in early)
            world.iam.faults.remove(hang)
            assert [(ended.code, ended.out, ended.err) for ended in await asyncio.gather(*early)] == [
                (0, "", "")
            ] * 2
            known, unknown = await asyncio.gather(
                broker("wait", "--timeout", "0", own=ways[1]), broker("wait", "nowhere", own=ways[0])
            )
            assert (known.code, unknown.code) == (0, 69)
            assert unknown.seconds < 15, "it waited for a name that nobody will add"
        for ended in (*absent, *empty, unknown):
            assert len(ended.sentences) == 1, ended.err
    figures(absent=absent[0].err.strip(), empty=empty[0].err.strip(), unknown=unknown.err.strip())


async def test_status_and_projects_for_people_and_for_programs(tmp_path: Path) -> None:
    """Rule: both ways show the same; `--watch` goes on while the broker is away, and ends with 0."""
    async with _world(tmp_path) as (_, daemon, ways), daemon:
        assert (await daemon.client.token(wait=10)).status == 200
        async with (
            Endless.running(ways[0], "status", "--watch") as shown,
            Endless.running(ways[1], "status", "--watch", "--json") as told,
        ):
            tables, documents = await asyncio.gather(
                asyncio.gather(*(broker("projects", own=way) for way in ways)),
                asyncio.gather(*(broker("projects", "--json", own=way) for way in ways)),
            )
            assert {ended.code for ended in (*tables, *documents)} == {0}
            assert len({ended.out for ended in documents}) == len({ended.out for ended in tables}) == 1
            projects = json.loads(documents[0].out)["projects"]
            assert len(projects) == 2
            assert all(project["id"] in tables[0].out for project in projects)
            head, row = await shown.line(), await shown.line()
            assert head.split()[:2] == ["IDENTITY", "STATE"]
            assert row.split()[:2] == ["default", "fresh"]
            lines = [json.loads(await told.line()) for _ in range(2)]
            assert [line["identities"][0]["state"] for line in lines] == ["fresh"] * 2
            daemon.send(signal.SIGTERM)
            assert await daemon.ended() == 0
            gone = json.loads(await told.line())
            while "error" not in gone:  # what was asked before the end
                gone = json.loads(await told.line())
            assert gone["identities"] == []
            assert "broker run" in gone["error"]
            ends = await asyncio.gather(shown.end(signal.SIGINT), told.end(signal.SIGINT))
            assert set(ends) == {(0, "")}
