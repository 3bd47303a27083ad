"""The folder of the cache is ours alone, or is not used, and then says why."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from broker.core.errors import StoreError
from broker.store.folder import Folder, cache_folder

UID = os.geteuid()
root = pytest.mark.skipif(UID != 0, reason="giving folders to other users needs root")


def trouble(path: Path) -> str:
    with cache_folder(path) as folder:
        assert folder.trouble is not None
        with pytest.raises(StoreError) as refused:
            folder.write("a", b"")
        assert str(refused.value) == folder.trouble
        with pytest.raises(StoreError):
            folder.remove("a")
        assert folder.read("a", 1) is None
        return folder.trouble


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("umask", [0, 0o077])
def test_it_is_made_for_us_alone(tmp_path, umask):
    before = os.umask(umask)
    try:
        with cache_folder(tmp_path / "cache") as folder:
            assert folder == Folder(tmp_path / "cache", None)
            assert mode(folder.path) == 0o700
            folder.write("a", b"one")
            assert folder.read("a", 10) == b"one"
            folder.remove("a")
            assert folder.read("a", 10) is None
    finally:
        os.umask(before)


def test_one_that_is_there_is_closed_to_others_and_keeps_its_files(tmp_path):
    (tmp_path / "a").write_bytes(b"one")
    (tmp_path / "a").chmod(0o600)
    (tmp_path / ".a.new").touch()
    tmp_path.chmod(0o2775)
    with cache_folder(tmp_path) as folder:
        assert mode(tmp_path) == 0o700
        assert folder.read("a", 10) == b"one"
        assert not (tmp_path / ".a.new").exists()


def test_a_link_to_a_folder_is_followed_once(tmp_path):
    """A service with DynamicUser= has one: systemd makes /var/lib/NAME a link."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    with cache_folder(tmp_path / "link") as folder:
        assert folder == Folder(tmp_path / "real", None)


def test_only_one_level_is_made(tmp_path):
    told = trouble(tmp_path / "a" / "b")
    assert told == (
        f"{tmp_path}/a/b: cannot be written (no such file or directory); make it a folder that uid {UID} can write, "
        "with space left, or name another folder as `path` under [cache]"
    )
    assert not (tmp_path / "a").exists()


def test_what_is_no_folder_is_not_used(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "round").symlink_to("round")
    assert "not a directory" in trouble(tmp_path / "file")
    assert "not a directory" in trouble(tmp_path / "file" / "cache")
    assert "cannot be written" in trouble(tmp_path / "round")


@root
def test_a_folder_of_another_user_is_not_used(tmp_path):
    os.chown(tmp_path, 54321, -1)
    tmp_path.chmod(0o777)
    assert trouble(tmp_path) == (
        f"{tmp_path}: belongs to uid 54321, and the broker is uid 0; "
        f"name a folder inside it as `path` under [cache], or run: chown 0 {tmp_path}"
    )
    assert mode(tmp_path) == 0o777
    with cache_folder(tmp_path / "inside") as folder:
        assert folder.trouble is None


def test_a_file_system_without_modes_is_not_used(tmp_path, monkeypatch):
    tmp_path.chmod(0o755)
    monkeypatch.setattr(os, "fchmod", lambda *_: None)
    assert "is on a file system that knows no modes" in trouble(tmp_path)


HOLD = """
import sys
from pathlib import Path
from broker.store.folder import cache_folder
with cache_folder(Path(sys.argv[1])) as folder:
    print(folder.trouble, flush=True)
    sys.stdin.read()
"""


def test_two_brokers_never_share_one_and_the_lock_ends_with_its_holder(tmp_path):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(Path.cwd())},
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "None\n"
    other = "end that one, or name another folder as `path` under [cache]"
    assert trouble(tmp_path) == f"{tmp_path}: is in use by another broker; {other}"
    holder.kill()  # as a crash does
    holder.communicate()
    with cache_folder(tmp_path) as folder:
        assert folder.trouble is None
        assert "in use" in trouble(tmp_path)
        with cache_folder(tmp_path / "another") as another:
            assert another.trouble is None
    with cache_folder(tmp_path) as folder:
        assert folder.trouble is None


def test_a_folder_that_goes_away_says_so(tmp_path):
    with cache_folder(tmp_path / "cache") as folder:
        (tmp_path / "cache" / ".lock").unlink()
        (tmp_path / "cache").rmdir()
        for attempt in (lambda: folder.write("a", b""), lambda: folder.remove("a")):
            with pytest.raises(StoreError, match=r"cannot be written \(no such file or directory\); make it"):
                attempt()
