"""How both clients reach a broker, wait for it, and leave it: restarts, full queues, silence, cancelled calls."""

import asyncio
import socket
import threading
import time
from pathlib import Path

import pytest

from broker.client import AsyncTokenClient, Away, TokenClient, Unreachable, aio, ask, fetch
from broker.client.address import VARIABLE, UnixAddress
from tests.client.both import GOOD, TREE, Both, at, come
from tests.client.scripted import answered, loopback, scripted


async def test_one_that_is_busy_is_asked_again_within_the_time(tmp_path: Path, both: Both):
    busy = answered(503, {"code": "not_ready", "detail": "x", "retry_after": 0.1})
    with scripted(tmp_path / "s", busy, GOOD) as seen:
        await both.token(url=at(tmp_path))
    assert len(seen) == 2


async def test_a_broker_that_is_being_restarted_is_waited_for(tmp_path: Path, both: Both):
    """Rule: no socket, a socket of nobody, and an answer cut short are what a restart looks like."""
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(str(tmp_path / "s"))
    stale.close()
    asking = asyncio.create_task(both.token(url=at(tmp_path), timeout=10))
    await asyncio.sleep(0.05)
    (tmp_path / "s").unlink()
    with scripted(tmp_path / "s", GOOD[:30], GOOD):
        assert (await asking).identity == "shop"


async def test_one_that_is_not_there_is_told_when_the_time_is_over(tmp_path: Path, both: Both):
    began = time.monotonic()
    with pytest.raises(Away, match=r"no broker is running at .*/s; start it with `broker run`"):
        await both.token(url=at(tmp_path), timeout=0.3)
    assert time.monotonic() - began < 1


async def test_one_that_says_nothing_is_left_after_the_time_and_a_moment(
    tmp_path: Path, both: Both, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(fetch, "MOMENT", 0.2)
    began = time.monotonic()
    with scripted(tmp_path / "s", None), pytest.raises(Unreachable, match="does not answer"):
        await both.token(url=at(tmp_path), timeout=0.1)
    assert 0.3 <= time.monotonic() - began < 2


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost"])
async def test_over_loopback_it_is_the_same(both: Both, host: str):
    server, port = loopback("::1" if host == "[::1]" else "127.0.0.1")
    with scripted(server, GOOD) as seen:
        await both.token(url=f"http://{host}:{port}")
    assert b"\r\nMetadata: true\r\n" in seen[0]
    with pytest.raises(Away, match="no broker is running at http://"):
        await both.token(url=f"http://{host}:{port}", timeout=0)


@pytest.mark.parametrize("way", ["thread", "loop"])
async def test_a_full_queue_is_waited_for(tmp_path: Path, way: str):
    """Rule: a Unix socket says at once that its queue is full, unlike TCP; that is not the end of it."""
    place = UnixAddress(str(tmp_path / "s"), named=True)
    request = ask.request(place, "/x", {})
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as first:
        server.bind(str(tmp_path / "s"))
        server.listen(0)
        server.settimeout(10)
        first.connect(str(tmp_path / "s"))
        waiting = (
            asyncio.to_thread(ask.asked, place, request, 5)
            if way == "thread"
            else aio.asked(place, request, 5)
        )
        asking = asyncio.create_task(waiting)
        await asyncio.sleep(0.1)
        (await asyncio.to_thread(server.accept))[0].close()
        connection, _ = await asyncio.to_thread(server.accept)
        with connection:
            await asyncio.to_thread(connection.recv, 1000)
            connection.sendall(GOOD)
            assert (await asking).status == 200


async def test_who_serves_an_unnamed_socket_is_looked_at(
    tmp_path: Path, both: Both, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr("broker.client.address.find.__defaults__", (str(tmp_path / "s"),))
    monkeypatch.setattr(ask, "trusted_owners", lambda _: frozenset({12345}))
    with scripted(tmp_path / "s", GOOD) as seen, pytest.raises(Unreachable, match="who is neither root, you"):
        await both.token(timeout=0)
    assert seen == [b""]


async def test_the_environment_is_read_at_each_call(
    tmp_path: Path, both: Both, monkeypatch: pytest.MonkeyPatch
):
    one = both.kind()
    for name in ("a", "b"):
        monkeypatch.setenv(VARIABLE, f"unix://{tmp_path}/{name}")
        with scripted(tmp_path / name, answered(200, TREE | {"identity": name})):
            assert (await come(one.token)).identity == name


async def test_a_call_that_is_cancelled_closes_its_connection(tmp_path: Path):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        server.listen()
        server.settimeout(10)
        asking = asyncio.create_task(AsyncTokenClient(url=at(tmp_path)).token())
        connection, _ = await asyncio.to_thread(server.accept)
        with connection:
            assert await asyncio.to_thread(connection.recv, 1000)
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            connection.settimeout(5)
            assert connection.recv(1) == b""


async def test_who_waits_on_a_loop_holds_up_nobody(tmp_path: Path):
    one = AsyncTokenClient(url=at(tmp_path), timeout=0)
    with scripted(tmp_path / "s", None):
        asking = asyncio.create_task(one.token())
        began = time.monotonic()
        await asyncio.sleep(0.01)
        assert time.monotonic() - began < 0.5
        asking.cancel()


def test_threads_and_children_share_a_client(tmp_path: Path):
    with scripted(tmp_path / "s", GOOD), TokenClient(url=at(tmp_path)) as one:
        got: list[str] = []
        threads = [threading.Thread(target=lambda: got.append(one.token().identity)) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert got == ["shop"] * 20


async def test_it_is_a_context_for_who_likes_one(tmp_path: Path):
    async with AsyncTokenClient(url=at(tmp_path)) as one:
        with scripted(tmp_path / "s", GOOD):
            assert (await one.token()).identity == "shop"
