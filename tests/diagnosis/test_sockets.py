"""Socket files: served, left over, mounted, absent, shut to us, and no socket at all."""

import os
import socket
from pathlib import Path

import pytest

from broker.diagnosis import sockets
from broker.diagnosis.finding import exit_code
from broker.diagnosis.sockets import is_mounted, unix_socket
from broker.settings import UnixListener
from tests.diagnosis.told import told


def stale(path: Path) -> Path:
    """A file that nobody listens at."""
    with socket.socket(socket.AF_UNIX) as gone:
        gone.bind(str(path))
    return path


def test_who_serves_it_and_its_mode(tmp_path: Path):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        server.listen()
        (tmp_path / "s").chmod(0o600)
        served, mode = told(
            unix_socket(tmp_path / "s", UnixListener.model_validate({"unix": str(tmp_path / "s")}))
        )
    assert served == (
        f"ok: served by uid {os.getuid()}, pid {os.getpid()}; mode 0600, owner {os.getuid()}:{os.getgid()}"
    )
    assert mode.startswith("warning: has mode 0600, and the settings say 0666; ")


def test_one_that_nobody_listens_at_is_stale_and_nothing_else_is_wrong(tmp_path: Path):
    findings = [*unix_socket(stale(tmp_path / "s"))]
    assert told(findings)[0].startswith("problem: is stale: nobody listens at it; start it: ")
    assert exit_code(findings) == 69


def test_a_stale_one_that_is_mounted_by_itself_is_told_the_cause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Rule: here a broker may well run, and starting one mends nothing."""
    monkeypatch.setattr(sockets, "is_mounted", lambda _: True)
    findings = [*unix_socket(stale(tmp_path / "s"))]
    assert told(findings)[0].startswith("problem: is stale: nobody listens at it; mount its folder instead: ")
    assert exit_code(findings) == 1


def test_none_at_all_and_what_is_no_socket(tmp_path: Path):
    (tmp_path / "file").touch()
    assert [*map(exit_code, ([*unix_socket(tmp_path / "s")], [*unix_socket(tmp_path / "file")]))] == [69, 1]


def test_a_mount_point_is_found_by_its_whole_path(tmp_path: Path):
    mounts, path = tmp_path / "mountinfo", tmp_path / "a b"
    real = os.path.realpath(path).replace(" ", "\\040")
    mounts.write_text(f"22 1 8:1 / / rw - ext4 /dev/a rw\n23 22 0:2 /s {real} rw - tmpfs t rw\n")
    assert is_mounted(path, mounts)
    assert not is_mounted(tmp_path, mounts)
    assert not is_mounted(path, tmp_path / "none")
