"""Connections over loopback: an own one, and those of other users."""

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user needs root")

SECONDS = 10.0

# Connects as another user and stays until its input ends.
STRANGER = """
import os, socket, sys
os.setgroups([])
os.setgid(int(sys.argv[3]))
os.setuid(int(sys.argv[3]))
with socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET) as client:
    client.settimeout(10)
    client.connect((sys.argv[1], int(sys.argv[2])))
    sys.stdin.read()
"""


def open_files() -> list[str]:
    """The numbers of this process's descriptors."""
    return sorted(file.name for file in Path("/proc/self/fd").iterdir())


def skip_without(host: str) -> None:
    """Skip the test where this host has no such address; IPv6 is often missing in containers."""
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.bind((host, 0))
    except OSError as error:
        pytest.skip(f"no address {host} here: {error.strerror}")


@contextlib.contextmanager
def listening(host: str) -> Iterator[socket.socket]:
    skip_without(host)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server(
        (host, 0), family=family, dualstack_ipv6=host.startswith("::") and host != "::1"
    ) as listener:
        listener.settimeout(SECONDS)
        yield listener


@contextlib.contextmanager
def connected(
    listen: str = "127.0.0.1", to: str | None = None
) -> Iterator[tuple[socket.socket, socket.socket]]:
    """The client's end and the accepted one."""
    to = to or listen
    with (
        listening(listen) as listener,
        socket.socket(socket.AF_INET6 if ":" in to else socket.AF_INET) as client,
    ):
        client.settimeout(SECONDS)
        client.connect((to, listener.getsockname()[1]))
        accepted, _ = listener.accept()
        with accepted:
            accepted.settimeout(SECONDS)
            yield client, accepted


@contextlib.contextmanager
def stranger(host: str, port: int, uid: int) -> Iterator[None]:
    """A process of another user that is connected, or about to be."""
    command = [sys.executable, "-c", STRANGER, host, str(port), str(uid)]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        try:
            yield
        finally:
            process.communicate(timeout=SECONDS)
