"""Two thousand clients wait for the next token: a refresh wakes all of them at once, and nobody else waits for them."""

import asyncio
import selectors
import socket
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.callers.folders import open_folder
from tests.contracts.fake_world import FakeWorld
from tests.e2e import keys
from tests.e2e.client import connections
from tests.e2e.conftest import Figures
from tests.e2e.daemon import Daemon
from tests.e2e.measured import one_of
from tests.e2e.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.alone, pytest.mark.timeout(120)]

CLIENTS = 2000
LIFE = 10  # seconds: all wait within its first half
PROBE = 0.005  # seconds between two questions of somebody else


@dataclass
class Crowd:
    """So many clients on sockets of their own, which a thread reads."""

    path: Path
    etag: str
    tokens: set[bytes] = field(default_factory=set)
    answered: list[float] = field(default_factory=list)  # when, each
    sent: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Ask, and read until all are answered."""
        head = f"GET /v1/token HTTP/1.1\r\nHost: x\r\nPrefer: wait=30\r\nIf-None-Match: {self.etag}\r\n"
        request = f"{head}Accept: text/plain\r\nConnection: close\r\n\r\n".encode()
        with selectors.DefaultSelector() as waiting:
            for _ in range(CLIENTS):
                client = socket.socket(socket.AF_UNIX)
                # Without a time-out, which would not wait for room in the queue.
                client.connect(str(self.path))
                client.settimeout(10)
                client.sendall(request)
                waiting.register(client, selectors.EVENT_READ, client)
            self.sent.set()
            while waiting.get_map():
                for key, _ in waiting.select(40):
                    self._read(key.data)
                    waiting.unregister(key.data)
                    key.data.close()

    def _read(self, client: socket.socket) -> None:
        answer = b""
        while piece := client.recv(65536):
            answer += piece
        self.answered.append(time.monotonic())
        head, _, body = answer.partition(b"\r\n\r\n")
        self.tokens.add(body if head.startswith(b"HTTP/1.1 200 ") else head)


@one_of(3)
async def test_all_are_woken_within_a_second_and_nobody_waits_for_them(figures: Figures) -> None:
    with open_folder() as folder:
        async with FakeWorld.serving(life=LIFE) as world:
            key = await world.add_key(await world.add_user())
            identities = {"default": {"keys": [keys.directory(folder / "key", key)]}}
            async with Daemon(folder / "broker", iam={"url": world.url}, identities=identities) as daemon:
                first = await daemon.client.token(wait=10)
                crowd = Crowd(daemon.socket, first.headers["ETag"])
                before = _resident(daemon.pid)
                reading = threading.Thread(target=crowd.run, daemon=True)
                reading.start()
                await until(_set(crowd.sent), 20, "all have asked")
                await until(_all_in(daemon), 20, "all are connected")
                assert crowd.answered == []
                grown = (_resident(daemon.pid) - before) / CLIENTS
                issues = await world.issue_requests()
                slowest, refreshed = 0.0, 0.0
                while reading.is_alive():
                    began = time.monotonic()
                    if not refreshed and await world.issue_requests() > issues:
                        refreshed = began
                    assert (await daemon.client.get("/livez")).status == 200
                    slowest = max(slowest, time.monotonic() - began)
                    await asyncio.sleep(PROBE)
                issued = await world.issue_requests() - issues
                lag = await _lag(daemon)
            assert len(crowd.answered) == CLIENTS
            assert len(crowd.tokens) == 1, "one new token for all"
            assert first.body["token"].encode() not in crowd.tokens
            woken = max(crowd.answered) - refreshed
            figures(
                clients=CLIENTS, issue_requests=issued, from_the_refresh_to_the_last_seconds=woken,
                slowest_answer_beside_them_seconds=slowest, loop_lag_seconds=lag, kib_each=grown,
            )  # fmt: skip
            assert issued == 1
            assert woken < 1.0
            assert max(slowest, lag) < 0.05


def _set(event: threading.Event) -> Callable[[], Awaitable[bool]]:
    async def is_set() -> bool:
        return event.is_set()

    return is_set


def _all_in(daemon: Daemon) -> Callable[[], Awaitable[bool]]:
    async def all_in() -> bool:
        return connections(daemon.socket) >= CLIENTS

    return all_in


async def _lag(daemon: Daemon) -> float:
    text = await daemon.client.text("/metrics")
    [line] = [each for each in text.splitlines() if each.startswith("broker_loop_lag_seconds ")]
    return float(line.split()[1])


def _resident(pid: int) -> int:
    """Of the process, in KiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    [line] = [each for each in status.splitlines() if each.startswith("VmRSS:")]
    return int(line.split()[1])
