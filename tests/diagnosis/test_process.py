"""The broker behind a socket that it opened itself, and behind one that systemd handed to it."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.diagnosis import manager, process
from broker.diagnosis.sockets import Server


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    """A socket that this process opened."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        server.listen()
        yield tmp_path / "s"


def proc(folder: Path, comm: str) -> Path:
    """This process as `comm`, and another, 77, of uid 4711."""
    for pid in (os.getpid(), 77):
        (folder / "proc" / str(pid)).mkdir(parents=True)
    (folder / f"proc/{os.getpid()}/comm").write_text(f"{comm}\n")
    (folder / "proc/77/status").write_text("Name:\tbroker\nUid:\t1\t4711\t4711\t4711\n")
    return folder / "proc"


def test_whoever_opened_it_is_the_broker(tmp_path: Path, path: Path):
    assert process.broker_at(path, lambda: 77, proc(tmp_path, "broker")) == Server(os.getpid(), os.getuid())


@pytest.fixture
def opened_by_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "server_of", lambda _: Server(os.getpid(), 0))


@pytest.mark.usefixtures("opened_by_root")
def test_a_socket_of_systemd_is_served_by_the_process_of_the_service(tmp_path: Path, path: Path):
    assert process.broker_at(path, lambda: 77, proc(tmp_path, "systemd")) == Server(77, 4711)


def test_one_of_a_users_own_systemd_is_not_taken_for_that_of_the_machine(
    tmp_path: Path, path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(process, "server_of", lambda _: Server(os.getpid(), 1000))
    assert process.broker_at(path, lambda: 77, proc(tmp_path, "systemd")) is None


@pytest.mark.usefixtures("opened_by_root")
@pytest.mark.parametrize("pid", [0, 78])
def test_one_that_waits_for_its_service_is_served_by_nobody_yet(tmp_path: Path, path: Path, pid: int):
    assert process.broker_at(path, lambda: pid, proc(tmp_path, "systemd")) is None


def test_systemd_tells_the_process_or_does_not(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(manager, "show", lambda: "Id=kakaocloud-broker.service\nMainPID=77\n")
    assert process.main_process() == 77
    monkeypatch.setattr(manager, "show", lambda: None)
    assert process.main_process() == 0
