"""A file is there whole or as it was before, is nobody else's from its first instant, and is read only where it is ours."""

import os
import stat
import threading
from pathlib import Path

import pytest

from broker.store import writing
from broker.store.unusable import Unusable


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def unusable(folder: Path, name: str = "a", largest: int = 10) -> str:
    with pytest.raises(Unusable) as refused:
        writing.read(folder, name, largest)
    return str(refused.value)


def test_what_was_written_last_is_read(tmp_path):
    for content in (b"one", b"", b"three"):
        writing.write(tmp_path, "a", content)
        assert writing.read(tmp_path, "a", 10) == content
    assert names(tmp_path) == ["a"]
    writing.remove(tmp_path, "a")
    writing.remove(tmp_path, "a")
    assert writing.read(tmp_path, "a", 10) is None


@pytest.mark.parametrize("umask", [0, 0o777])
def test_nobody_else_may_read_it_from_its_first_instant(tmp_path, monkeypatch, umask):
    """Each call of the system that could show it is looked at from within."""
    seen: list[tuple[str, int]] = []
    real = os.open

    def spied(path, flags, mode=0o777, *, dir_fd=None):
        descriptor = real(path, flags, mode, dir_fd=dir_fd)
        if flags & os.O_CREAT:
            seen.append((path, stat.S_IMODE(os.fstat(descriptor).st_mode)))
            assert flags & os.O_EXCL
            assert flags & os.O_NOFOLLOW
        return descriptor

    monkeypatch.setattr(os, "open", spied)
    before = os.umask(umask)
    try:
        writing.write(tmp_path, "a", b"one")
    finally:
        os.umask(before)
    assert seen == [(".a.new", 0o600 & ~umask)]
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o600


def test_it_is_on_the_disk_before_it_has_its_name_and_its_name_is_too(tmp_path, monkeypatch):
    calls: list[str] = []
    fsync, rename = os.fsync, os.rename

    def synced(descriptor):
        calls.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        fsync(descriptor)

    def renamed(old, new, *, src_dir_fd, dst_dir_fd):
        calls.append("rename")
        rename(old, new, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "rename", renamed)
    writing.write(tmp_path, "a", b"one")
    assert calls == ["file", "rename", "folder"]
    writing.remove(tmp_path, "a")
    assert calls[3:] == ["folder"]


class Died(BaseException):
    """The process has ended here."""


def dies(*_: object, **__: object) -> None:
    raise Died


def test_a_crash_before_the_rename_leaves_the_old_and_the_next_write_cleans_up(tmp_path, monkeypatch):
    writing.write(tmp_path, "a", b"old")
    with monkeypatch.context() as crash:
        crash.setattr(os, "rename", dies)
        with pytest.raises(Died):
            writing.write(tmp_path, "a", b"new")
    assert writing.read(tmp_path, "a", 10) == b"old"
    assert names(tmp_path) == [".a.new", "a"]
    writing.write(tmp_path, "a", b"newer")
    assert writing.read(tmp_path, "a", 10) == b"newer"
    assert names(tmp_path) == ["a"]


def test_what_a_crash_left_is_cleared_and_nothing_else(tmp_path):
    for name in (".a.new", ".b.sealed.new", "a", ".lock", "new", ".new", "a.new"):
        (tmp_path / name).touch()
    writing.clear(tmp_path)
    assert names(tmp_path) == [".lock", ".new", "a", "a.new", "new"]


def test_a_full_disk_leaves_the_old_and_no_rest(tmp_path, monkeypatch):
    writing.write(tmp_path, "a", b"old")
    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space"):
        writing.write(tmp_path, "a", b"new")
    assert writing.read(tmp_path, "a", 10) == b"old"
    assert names(tmp_path) == ["a"]


def full(*_: object) -> int:
    raise OSError(28, "No space left on device")


def test_a_write_that_the_system_cuts_short_goes_on(tmp_path, monkeypatch):
    real = os.write
    monkeypatch.setattr(os, "write", lambda file, content: real(file, content[:2]))
    writing.write(tmp_path, "a", b"12345")
    assert writing.read(tmp_path, "a", 10) == b"12345"


def test_a_planted_link_is_not_written_through(tmp_path):
    (tmp_path / "victim").write_bytes(b"precious")
    for name in (".a.new", "a"):
        (tmp_path / name).symlink_to(tmp_path / "victim")
    writing.write(tmp_path, "a", b"new")
    assert (tmp_path / "victim").read_bytes() == b"precious"
    assert not (tmp_path / "a").is_symlink()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601])
def test_a_file_that_others_may_touch_is_not_used(tmp_path, mode):
    writing.write(tmp_path, "a", b"one")
    (tmp_path / "a").chmod(mode)
    assert unusable(tmp_path) == "its mode lets other users at it"


@pytest.mark.skipif(os.geteuid() != 0, reason="giving files to other users needs root")
def test_a_file_of_another_user_is_not_used(tmp_path):
    writing.write(tmp_path, "a", b"one")
    os.chown(tmp_path / "a", 54321, -1)
    assert unusable(tmp_path) == "it belongs to another user"


def test_what_is_no_regular_file_is_not_used_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a", 0o600)
    assert unusable(tmp_path) == "it is no regular file"
    (tmp_path / "folder").mkdir(0o700)
    assert unusable(tmp_path, "folder") == "it is no regular file"
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert "symbolic links" in unusable(tmp_path, "link")


def test_no_more_is_read_than_a_file_of_ours_can_have(tmp_path):
    writing.write(tmp_path, "a", b"x" * 10)
    assert writing.read(tmp_path, "a", 10) == b"x" * 10
    writing.write(tmp_path, "a", b"x" * 11)
    assert unusable(tmp_path) == "it is too large"
    with (tmp_path / "a").open("wb") as file:
        file.truncate(1 << 40)  # sparse: reading it whole would never end
    assert unusable(tmp_path) == "it is too large"


def test_a_reader_never_sees_half_a_file(tmp_path):
    contents = [bytes([number]) * 50_000 for number in range(3)]
    writing.write(tmp_path, "a", contents[0])

    def write() -> None:
        for number in range(50):
            writing.write(tmp_path, "a", contents[number % 3])

    writer = threading.Thread(target=write)
    writer.start()
    while writer.is_alive():
        assert writing.read(tmp_path, "a", 50_000) in contents
    writer.join()


def test_an_error_without_a_number_has_words():
    assert writing.reason(OSError()) == "unknown error"
