"""What the memory of processes rests on, asked of the kernel itself: the order of a queue, and pids that come again."""

import os
import socket
import sys
from pathlib import Path

from broker.callers.listeners import unix_listener
from tests.callers.remembering import House
from tests.callers.test_process import needs_pidfd, needs_root, recycled

CONNECTING = """
import socket, sys
with socket.socket(socket.AF_UNIX) as connection:
    connection.connect(sys.argv[1])
    connection.recv(1)
"""


def test_the_kernel_hands_connections_over_in_the_order_in_which_they_were_made(tmp_path: Path):
    """What the memory rests on: who connects later than one that was accepted is accepted later."""
    with unix_listener(tmp_path / "q", 0o600) as listener:
        clients = [socket.socket(socket.AF_UNIX) for _ in range(20)]
        for number, client in enumerate(clients):
            client.bind(str(tmp_path / f"{number}"))
            client.connect(str(tmp_path / "q"))
        for number, client in enumerate(clients):
            connection, name = listener.accept()
            connection.close()
            assert name == str(tmp_path / f"{number}")
            client.close()


@needs_root
@needs_pidfd
def test_a_pid_that_the_kernel_gives_again_brings_nothing_along(tmp_path: Path):
    """The attack, with real processes: the one that has the pid now connects within the second."""
    house = House(tmp_path)
    with unix_listener(tmp_path / "r", 0o600) as listener:
        listener.settimeout(10)

        def unit_of(pid: int) -> str | None:
            while True:  # others may have had the wrong pid
                connection, _ = listener.accept()
                with connection:
                    told = house.prove(connection)
                if told.pid == pid:
                    return told.unit

        def lives(pid: int, unit: str) -> None:
            (tmp_path / str(pid)).mkdir(exist_ok=True)
            (tmp_path / str(pid) / "cgroup").write_text(
                f"1:name=systemd:/system.slice/{unit}\n0::/system.slice/{unit}\n"
            )
            (tmp_path / str(pid) / "status").write_text(f"NSpid:\t{pid}\n")

        command = [sys.executable, "-c", CONNECTING, str(tmp_path / "r")]
        pid = os.posix_spawn(sys.executable, command, os.environ)
        lives(pid, "a.service")
        assert unit_of(pid) == "a.service"
        os.waitpid(pid, 0)
        lives(pid, "b.service")
        with recycled(pid, *command):
            assert unit_of(pid) == "b.service"
    house.recent.close()
