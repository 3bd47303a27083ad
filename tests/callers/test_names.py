"""A process may call itself what it likes, and is by that neither root of this host nor anybody else."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from broker.callers import unix
from broker.callers.listeners import unix_listener
from tests.callers.test_tcp_namespaces import can_unshare

NAMED = """
import os, socket, sys
with open("/proc/self/comm", "wb") as name:
    name.write(bytes.fromhex(sys.argv[2]))
with socket.socket(socket.AF_UNIX) as connection:
    connection.connect(sys.argv[1])
    connection.recv(1)
"""


@pytest.mark.skipif(os.geteuid() != 0 or not can_unshare("--pid", "--fork"), reason="needs a pid namespace")
@pytest.mark.parametrize("end", ["", "\n", "\v", "\f", "\r", "\x1c", "\x85", "\u2028"])
def test_root_of_a_container_does_not_become_ours_by_its_name(tmp_path: Path, end: str):
    """The attack: the kernel writes the name into `status` as it is, but for the line feed."""
    name = f"{end}NSpid: 1".encode()
    command = ["unshare", "--pid", "--fork", sys.executable, "-c", NAMED, str(tmp_path / "s"), name.hex()]
    with unix_listener(tmp_path / "s", 0o600) as listener:
        listener.setblocking(True)
        listener.settimeout(10)
        with subprocess.Popen(command):
            connection, _ = listener.accept()
            with connection:
                pid, *_ = unix._UCRED.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
                assert name.lstrip(b"\n") in Path(f"/proc/{pid}/status").read_bytes()
                told = unix.prove(connection, "here")
        assert told is not None
        assert (told.uid, told.pid) == (0, 0)
