"""Open files and room on disks."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from broker.diagnosis import limits
from tests.app.whole import settings
from tests.diagnosis.told import told

MOUNTS = "1 0 8:1 / / rw - ext4 a rw\n2 1 0:1 / {below} rw shared:1 - {kind} b rw\n"


def test_the_limit_is_read_as_the_kernel_writes_it():
    assert limits.soft_limit(Path("/proc/self/limits").read_text())
    assert limits.soft_limit("Max open files            1024     4096     files\n") == 1024
    assert limits.soft_limit("") is None


@pytest.mark.parametrize(
    ("files", "says"),
    [
        (
            1024,
            "warning: the broker may open 1024, so that 512 can be connected, and serving.connections is 4096; raise ",
        ),
        (6143, "warning: the broker may open 6143, so that 4095 can be connected"),
        (6144, "ok: the broker may open 6144, for 4096 connections at once"),
    ],
)
def test_a_limit_too_low_for_the_settings_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: int, says: str
):
    (tmp_path / "7").mkdir()
    (tmp_path / "7/limits").write_text(f"Max open files            {files}     65536     files\n")
    monkeypatch.setattr(limits, "broker_at", lambda _: SimpleNamespace(pid=7, uid=0))
    tree = settings(tmp_path, {"default": {"keys": ["/k"]}})
    (line,) = told(limits.open_files(tree, tmp_path))
    assert line.startswith(says)


def test_without_a_broker_it_is_not_seen(tmp_path: Path):
    tree = settings(tmp_path, {"default": {"keys": ["/k"]}})
    assert told(limits.open_files(tree))[0].startswith("ok: the broker's limit was not seen")


def test_the_file_system_is_that_of_the_innermost_mount(tmp_path: Path):
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS.format(below=os.path.realpath(tmp_path), kind="tmpfs"))
    assert limits.file_system(tmp_path / "cache", mounts) == "tmpfs"
    assert limits.file_system(Path("/etc"), mounts) == "ext4"
    assert limits.file_system(Path("/etc"), tmp_path / "none") == "unknown"


@pytest.mark.parametrize(
    ("free", "kind", "level"),
    [
        (0, "tmpfs", "problem"),
        (5, "ext4", "warning"),
        (500, "nfs4", "warning"),
        (500, "fuse.x", "warning"),
        (500, "tmpfs", "ok"),
    ],
)
def test_a_full_or_far_disk_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, kind: str, level: str
):
    space = SimpleNamespace(f_bavail=free * 256, f_frsize=4096, f_files=9, f_favail=9)
    monkeypatch.setattr(os, "statvfs", lambda _: space)
    monkeypatch.setattr(limits, "file_system", lambda _: kind)
    (line,) = told(limits.folder("cache", tmp_path / "not/there"))
    assert line.startswith(f"{level}: ")


def test_a_cache_that_is_off(tmp_path: Path):
    tree = settings(tmp_path, {"default": {"keys": ["/k"]}}, cache={"off": True})
    assert told(limits.room(tree, {})) == ["ok: is off: each start asks IAM for new tokens"]
