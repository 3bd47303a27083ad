"""What tests of the memory of processes need: a `/proc` with one process in it, and connections of which a test tells."""

import os
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from broker.callers import process, unix
from broker.callers.listeners import unix_listener
from broker.callers.process import Connection
from broker.callers.recent import Recent
from broker.core.access import Workload
from tests.fakes.clock import FakeClock

PID = 700
CALLING = """
import socket, sys
connections = [socket.socket(socket.AF_UNIX) for _ in range(2)]
for connection in connections:
    connection.connect(sys.argv[1])
sys.stdin.read()
"""


class Told:
    """A connection of a real process, of which the kernel tells this pid, uid and groups."""

    def __init__(
        self, connection: Connection, uid: int = 1001, groups: tuple[int, ...] = (), pid: int = PID
    ) -> None:
        self._connection = connection
        self._told = {
            socket.SO_PEERCRED: struct.pack("3i", pid, uid, uid),
            unix._SO_PEERGROUPS: struct.pack(f"{len(groups)}I", *groups),
        }

    def getsockopt(self, level: int, option: int, buflen: int, /) -> bytes:
        told = self._told.get(option)
        return self._connection.getsockopt(level, option, buflen) if told is None else told


class Process:
    """Stands for one: an eventfd is readable from a moment on, as a pidfd is from the end of its process."""

    def __init__(self) -> None:
        self._ended = os.eventfd(0)

    def getsockopt(self, level: int, option: int, buflen: int, /) -> bytes:
        """As a connection that it has made, of which only the pidfd is asked."""
        del level, buflen
        assert option == process._SO_PEERPIDFD
        return struct.pack("i", os.dup(self._ended))

    def end(self) -> None:
        os.eventfd_write(self._ended, 1)

    def close(self) -> None:
        os.close(self._ended)


class House:
    """A `/proc` with one process in it, a clock, and what is remembered."""

    def __init__(self, root: Path) -> None:
        self.clock = FakeClock()
        self.recent = Recent(self.clock.now)
        self.root = root
        self.process = root / str(PID)
        self.process.mkdir()
        uids = "\t".join(["1001"] * 4)
        (self.process / "status").write_text(f"NSpid:\t{PID}\nUid:\t{uids}\n")
        (self.process / "stat").write_text(f"{PID} (sh) S {' '.join(['0'] * 20)}\n")

    def lives_in(self, unit: str) -> None:
        (self.process / "cgroup").write_text(
            f"1:name=systemd:/system.slice/{unit}\n0::/system.slice/{unit}\n"
        )

    def prove(self, connection: Connection) -> Workload:
        told = unix.prove(connection, "here", root=self.root, recent=self.recent)
        assert told is not None
        return told


@contextmanager
def caller(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], list[socket.socket]]]:
    """Another process, and two connections that it has made, one after the other."""
    with unix_listener(folder / "s", 0o600) as listener:
        listener.setblocking(True)
        command = [sys.executable, "-c", CALLING, str(folder / "s")]
        with subprocess.Popen(command, stdin=subprocess.PIPE) as calling:
            connections = [listener.accept()[0] for _ in range(2)]
            try:
                yield calling, connections
            finally:
                calling.kill()
                for connection in connections:
                    connection.close()
