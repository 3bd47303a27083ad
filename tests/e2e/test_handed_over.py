"""Sockets that outlive the broker: across restarts and crashes nobody is refused, and one retry is enough for all.

The test plays the socket unit: it keeps the sockets, and starts the broker with them again and again.
"""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.contracts.fake_world import FakeWorld
from tests.e2e import keys
from tests.e2e.command import BROKER, ROOT, environment
from tests.e2e.conftest import Figures
from tests.systemd.manager import Ears, listening

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

HANDING_OVER = ROOT / "tests/e2e/handing_over.py"
ROUNDS = 4  # of a restart and a crash
REQUEST = b"GET /v1/token HTTP/1.1\r\nHost: localhost\r\nMetadata: true\r\nConnection: close\r\n\r\n"
PATIENCE = 20.0  # seconds


@dataclass
class Unit:
    """A socket unit with its service."""

    folder: Path
    sockets: list[socket.socket]
    ears: Ears
    config: Path
    child: "subprocess.Popen[bytes] | None" = None
    heard: list[dict[str, str]] = field(default_factory=list)

    def start(self) -> None:
        """Start the broker, and wait until it tells that it is ready."""
        with (self.folder / "log").open("ab") as log:
            numbers = [str(each.fileno()) for each in self.sockets]
            command = [
                sys.executable,
                str(HANDING_OVER),
                *numbers,
                "--",
                *BROKER,
                "run",
                "--config",
                str(self.config),
            ]
            self.child = subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment({"NOTIFY_SOCKET": self.ears.name, "WATCHDOG_USEC": "3000000"}),
                pass_fds=[each.fileno() for each in self.sockets],
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
        self.hears("READY")

    def hears(self, what: str) -> None:
        """Wait until it tells this, which is then heard, with all that came before it."""
        until = time.monotonic() + PATIENCE
        while True:
            self.heard += self.ears.heard()
            for index, message in enumerate(self.heard):
                if what in message:
                    del self.heard[: index + 1]
                    return
            assert time.monotonic() < until, (
                f"it does not tell {what}\n{(self.folder / 'log').read_text()[-3000:]}"
            )
            time.sleep(0.02)

    def ends(self, number: signal.Signals) -> int:
        """Send the signal, and wait for the end; the exit code."""
        assert self.child is not None
        self.child.send_signal(number)
        return self.child.wait(PATIENCE)


@dataclass
class Client:
    """Asks for a token all the time, each time on a new connection, and once more where one broke."""

    address: str | tuple[str, int]
    stop: threading.Event = field(default_factory=threading.Event)
    served: int = 0
    broken: int = 0
    wrong: list[str] = field(default_factory=list)

    def run(self) -> None:
        while not self.stop.is_set():
            try:
                answer = self._asked() or self._again()
            except OSError as error:
                self.wrong.append(repr(error))
                return
            if not answer.startswith(b"HTTP/1.1 200 "):
                self.wrong.append(answer[:200].decode(errors="replace"))
            self.served += 1

    def _again(self) -> bytes:
        self.broken += 1
        return self._asked()

    def _asked(self) -> bytes:
        """The answer; nothing where the broker ended in the middle of it. Raises OSError where it refuses."""
        family = socket.AF_UNIX if isinstance(self.address, str) else socket.AF_INET
        with socket.socket(family) as sock:
            sock.settimeout(PATIENCE)
            sock.connect(self.address)
            try:
                sock.sendall(REQUEST)
                answer = b""
                while piece := sock.recv(65536):
                    answer += piece
            except (ConnectionResetError, BrokenPipeError):
                return b""
            return answer


@contextmanager
def unit(folder: Path, url: str, key: str) -> Iterator[Unit]:
    with ExitStack() as stack:
        ears = stack.enter_context(listening(folder))
        unix = stack.enter_context(socket.socket(socket.AF_UNIX))
        unix.bind(str(folder / "s"))
        unix.listen(512)
        tcp = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=512))
        config = folder / "broker.toml"
        config.write_text(
            f'[iam]\nurl = "{url}"\n[cache]\npath = "{folder / "cache"}"\n[log]\naudit = "off"\n'
            f'[[listen]]\nunix = "{folder / "s"}"\n[[listen]]\ntcp = "127.0.0.1:{tcp.getsockname()[1]}"\n'
            f'[identities.default]\nkeys = ["{key}"]\n'
            f'[[grants]]\nidentity = "default"\nusers = [{os.getuid()}]\n'
        )
        its = Unit(folder, [unix, tcp], ears, config)
        try:
            yield its
        finally:
            if its.child is not None and its.child.poll() is None:
                its.child.kill()
                its.child.wait()


async def test_nobody_is_refused_across_restarts_and_crashes(tmp_path: Path, figures: Figures) -> None:
    async with FakeWorld.serving() as world:
        key = keys.directory(tmp_path / "key", await world.add_key(await world.add_user()))
        figures(**await asyncio.to_thread(_lived, tmp_path, world.url, key))


def _lived(folder: Path, url: str, key: str) -> dict[str, object]:
    with unit(folder, url, key) as its:
        its.start()
        clients = [Client(str(folder / "s")), Client(its.sockets[1].getsockname())]
        threads = [threading.Thread(target=client.run) for client in clients]
        for thread in threads:
            thread.start()
        for _ in range(ROUNDS):
            assert its.ends(signal.SIGTERM) == 0
            its.start()
            assert its.ends(signal.SIGKILL) == -signal.SIGKILL
            its.start()
        its.hears("WATCHDOG")
        assert its.child is not None
        its.child.send_signal(signal.SIGHUP)
        its.hears("RELOADING")
        its.hears("READY")
        for client in clients:
            client.stop.set()
        for thread in threads:
            thread.join()
        assert its.ends(signal.SIGTERM) == 0
        its.hears("STOPPING")
        assert (folder / "s").is_socket()
    assert [client.wrong for client in clients] == [[], []]
    return {
        "restarts": ROUNDS,
        "crashes": ROUNDS,
        "served": sum(client.served for client in clients),
        "served_by_a_second_try": sum(client.broken for client in clients),
    }
