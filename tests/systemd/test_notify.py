"""What the service manager is told: whole messages, to the socket that it named, and never at anybody's cost."""

import os
import socket
import time
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from broker.systemd.notify import Manager
from tests.systemd.manager import listening


@pytest.mark.parametrize("abstract", [False, True])
def test_messages_come_to_either_kind_of_socket(tmp_path: Path, *, abstract: bool):
    with listening(tmp_path, abstract=abstract) as ears:
        environ = {"NOTIFY_SOCKET": ears.name, "HOME": "/"}
        manager = Manager.of(environ)
        assert environ == {"HOME": "/"}  # no child is to speak in its name
        manager.ready("all is well")
        manager.status("less so")
        manager.alive()
        manager.stopping(12.5)
        assert ears.heard() == [
            {"READY": "1", "STATUS": "all is well"},
            {"STATUS": "less so"},
            {"WATCHDOG": "1"},
            {"STOPPING": "1", "EXTEND_TIMEOUT_USEC": "12500000", "STATUS": "draining"},
        ]
        manager.close()
        manager.alive()
        assert ears.heard() == []


def test_a_reload_tells_the_moment_of_its_beginning(tmp_path: Path):
    """It is compared with the clock of systemd: CLOCK_MONOTONIC, in microseconds."""
    with listening(tmp_path) as ears:
        before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        Manager.of({"NOTIFY_SOCKET": ears.name}).reloading()
        [message] = ears.heard()
        assert message["RELOADING"] == "1"
        assert before <= int(message["MONOTONIC_USEC"]) <= before + 10_000_000


@pytest.mark.parametrize("name", ["", "relative", "@", "/", "vsock:2:1", "/" + "x" * 200])
def test_without_a_socket_that_can_be_there_is_nobody(name: str):
    manager = Manager.of({"NOTIFY_SOCKET": name} if name else {})
    assert not manager.listens
    manager.ready("nobody hears it")


@pytest.mark.parametrize(
    ("usec", "pid", "seconds"),
    [
        ("30000000", None, 30.0),
        ("30000000", "ours", 30.0),
        ("30000000", "1", None),  # another process is watched
        ("0", None, None),
        ("-5", None, None),
        ("soon", None, None),
        ("", None, None),
    ],
)
def test_the_watchdogs_time_is_in_microseconds_and_for_this_process(usec, pid, seconds):
    pid = str(os.getpid()) if pid == "ours" else pid
    environ = {"WATCHDOG_USEC": usec, **({} if pid is None else {"WATCHDOG_PID": pid})}
    assert Manager.of(environ).watchdog == seconds
    assert environ == {}


def test_a_manager_that_has_gone_is_told_of_once(tmp_path: Path):
    with listening(tmp_path) as ears:
        manager = Manager.of({"NOTIFY_SOCKET": ears.name})
    with capture_logs() as logs:
        manager.alive()
        manager.alive()
    assert [entry["event"] for entry in logs] == ["manager_unreachable"]


def test_a_manager_that_does_not_read_keeps_nobody_waiting(tmp_path: Path):
    with listening(tmp_path) as ears, capture_logs() as logs:
        ears._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        manager = Manager.of({"NOTIFY_SOCKET": ears.name})
        for _ in range(2000):
            manager.status("x" * 100)
    assert len(logs) == 1
