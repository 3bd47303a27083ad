"""Users who may read nothing and take all the connections they can get; and connections that say nothing, or half.

- The broker has so few descriptors that the crowd could have them all, and the crowd comes back as soon as it is closed.
- While it is there the owner is served on new connections by both ways, and the token is renewed: IAM needs descriptors too.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.callers.folders import open_folder
from tests.contracts.fake_world import FakeWorld
from tests.e2e import keys
from tests.e2e.asking import METADATA, by_aiohttp, by_httpx, needs_root
from tests.e2e.command import BROKER
from tests.e2e.conftest import Figures
from tests.e2e.daemon import Daemon

pytestmark = pytest.mark.e2e

STRANGERS = (54321, 54322)
CROWD = 600
FILES = 1024
LIFE = 6
SIEGE = 9.0  # seconds: a token and a half
LOG = 20_000  # bytes, that the siege may add to the log at its usual level
# Takes connections by turns at a socket and a port, opens anew what was closed, and says how many it had at most.
CROWD_OF_ONE_USER = f"""
import os, select, socket, sys, time
path, port, uid = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
os.setgroups([]); os.setgid(uid); os.setuid(uid)
def connect(number):
    one = socket.socket(socket.AF_UNIX if number % 2 else socket.AF_INET)
    one.settimeout(2)
    one.connect(path if number % 2 else ("127.0.0.1", port))
    return one
held, opened, stopped = {{}}, 0, False
while not stopped:
    for number in range({CROWD}):
        try:
            if number in held and select.select([held[number]], [], [], 0)[0]:
                held.pop(number).close()
            if number not in held:
                held[number] = connect(number)
                opened += 1
        except OSError:
            pass
    print(opened, flush=True)
    stopped = bool(select.select([sys.stdin], [], [], 0.5)[0])
"""


@asynccontextmanager
async def _crowd(daemon: Daemon, uid: int) -> AsyncIterator[asyncio.StreamReader]:
    """The crowd, by the lines in which it says how many connections it has opened."""
    pipe, port = asyncio.subprocess.PIPE, daemon.tcp[0].rpartition(":")[2]
    words = (BROKER[0], "-c", CROWD_OF_ONE_USER, str(daemon.socket), port, str(uid))
    child = await asyncio.create_subprocess_exec(*words, stdin=pipe, stdout=pipe)
    try:
        assert child.stdout
        yield child.stdout
    finally:
        if child.returncode is None:
            child.kill()
        await child.communicate()


@asynccontextmanager
async def _besieged() -> AsyncIterator[tuple[FakeWorld, Daemon]]:
    with open_folder() as folder:
        async with FakeWorld.serving(life=LIFE) as world:
            key = await world.add_key(await world.add_user())
            daemon = Daemon(
                folder / "b",
                iam={"url": world.url},
                identities={"default": {"keys": [keys.directory(folder / "key", key)]}},
                listen=[{"tcp": "127.0.0.1:0"}],
                own={"KAKAOCLOUD_BROKER_LOG__LEVEL": "info"},
                prefix=("sh", "-c", f'ulimit -n {FILES}; exec "$@"', "sh"),
            )
            async with daemon:
                yield world, daemon


def _descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


@needs_root
async def test_two_greedy_users_shut_out_nobody(figures: Figures) -> None:
    """Rule: the owner gets each token it asks for, on new connections; tokens are renewed; the log stays small."""
    async with _besieged() as (world, daemon):
        assert (await daemon.client.token(wait=10)).status == 200
        base, before, slowest, asked, tokens = f"http://{daemon.tcp[0]}", len(daemon.log), 0.0, 0, set()
        async with _crowd(daemon, STRANGERS[0]) as first, _crowd(daemon, STRANGERS[1]) as second:
            opened = [int(await asyncio.wait_for(said.readline(), 30)) for said in (first, second)]
            assert min(opened) > FILES // 4, "a crowd is smaller than what one user may have"
            end = time.monotonic() + SIEGE
            while (began := time.monotonic()) < end:
                by_socket, by_tcp = await asyncio.gather(
                    by_httpx("http://b/v1/token", {}, socket=daemon.socket),
                    by_aiohttp(f"{base}/v1/token", METADATA),
                )
                assert (by_socket.status, by_tcp.status) == (200, 200)
                tokens |= {by_socket.tree["token"], by_tcp.tree["token"]}
                slowest, asked = max(slowest, time.monotonic() - began), asked + 2
                await asyncio.sleep(0.1)  # its pace; nothing is waited for
            metrics = (await by_aiohttp(f"{base}/metrics", {})).body.decode()
            files = _descriptors(daemon.pid)
        grown = len(daemon.log) - before
        assert len(tokens) >= 2, "it was not renewed"
        assert len(tokens) == await world.issued() or len(tokens) + 1 == await world.issued()
        assert grown < LOG, daemon.tail
        told = sorted((event["uid"], event["reason"]) for event in daemon.events("refused"))
        once = [(uid, "too_many_connections") for uid in STRANGERS for _ in range(2)]
        assert told == once, "one line for each user and listener"
        turned_away = metrics.partition('broker_refused_total{reason="too_many_connections"} ')[2].split()[0]
        assert float(turned_away) > 0
        figures(
            opened_at_first=opened,
            turned_away=turned_away,
            descriptors=files,
            owner_asked=asked,
            slowest_pair_seconds=slowest,
            tokens=len(tokens),
            log_bytes=grown,
        )


async def test_who_says_nothing_or_half_is_closed(tmp_path: Path, figures: Figures) -> None:
    """Rule: half a request is answered 408 after about 10 s and closed, silence is closed; others are served meanwhile."""
    async with FakeWorld.serving() as world:
        key = await world.add_key(await world.add_user())
        identities = {"default": {"keys": [keys.directory(tmp_path / "key", key)]}}
        iam, listen = {"url": world.url}, [{"tcp": "127.0.0.1:0"}]
        async with Daemon(tmp_path / "b", iam=iam, identities=identities, listen=listen) as daemon:
            port = int(daemon.tcp[0].rpartition(":")[2])

            async def said(sent: bytes, *, tcp: bool) -> tuple[bytes, float]:
                began = time.monotonic()
                reader, writer = await (
                    asyncio.open_connection("127.0.0.1", port)
                    if tcp
                    else asyncio.open_unix_connection(daemon.socket)
                )
                writer.write(sent)
                answer = await asyncio.wait_for(reader.read(-1), 20)
                writer.close()
                return answer, time.monotonic() - began

            half = b"GET /v1/token HTTP/1.1\r\nHost: localhost\r\nMeta"
            waits = asyncio.gather(
                *(said(sent, tcp=tcp) for sent in (half, b"G", b"") for tcp in (True, False))
            )
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(asyncio.shield(waits), 8)
            assert (await daemon.client.token()).status == 200
            for place, (answer, seconds) in enumerate(await waits):
                assert 9 < seconds < 13
                if place < 4:
                    assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
                    assert b'"code": "timeout"' in answer
                else:
                    assert answer == b""
            assert (await by_aiohttp(f"http://{daemon.tcp[0]}/livez", {})).status == 200
            figures(closed_after=seconds)
