"""A token file on the disk: whole or not at all, its readers' alone, and nothing else is touched."""

import errno
import os
import stat
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from broker.sinks import disk
from broker.sinks.disk import Abandoned
from broker.sinks.trouble import Emptied, Misplaced
from tests.callers.folders import open_folder
from tests.sinks.kept import leftovers, token_file

ROOT = os.geteuid() == 0
AS_ROOT = pytest.mark.skipif(not ROOT, reason="only root may give files away and become another user")
STRANGER = 12345


def put(path: Path, content: bytes = b"token", **more: object) -> disk.Seen:
    return disk.put(token_file(path, **more), content, None, lambda: True)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def as_user(uid: int, act: Callable[[], object]) -> object:
    """What it comes to, done by another user."""
    os.seteuid(uid)
    try:
        return act()
    except OSError as error:
        return error
    finally:
        os.seteuid(0)


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that other users can enter, unlike those of the tests."""
    with open_folder() as folder:
        yield folder


@pytest.mark.parametrize("umask", [0o000, 0o077, 0o777])
def test_it_has_its_mode_whatever_the_umask(tmp_path: Path, umask: int):
    before = os.umask(umask)
    try:
        put(tmp_path / "t", mode=0o640)
    finally:
        os.umask(before)
    assert mode(tmp_path / "t") == 0o640


def test_it_is_nobody_elses_from_its_first_instant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """What is not yet renamed can be opened too: mode and owner come before the first byte."""
    seen: list[tuple[int, int]] = []
    write = os.write

    def looking(descriptor: int, content: bytes) -> int:
        status = os.fstat(descriptor)
        seen.append((stat.S_IMODE(status.st_mode), status.st_gid))
        return write(descriptor, content[:2])  # a disk may take a few bytes only

    group = os.getgroups()[0] if os.getgroups() else os.getegid()
    old = os.umask(0)
    try:
        monkeypatch.setattr(os, "write", looking)
        put(tmp_path / "t", gid=group, mode=0o640)
    finally:
        os.umask(old)
    assert set(seen) == {(0o640, group)}
    assert (tmp_path / "t").read_bytes() == b"token"


@AS_ROOT
def test_no_group_but_its_own_can_ever_open_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The attack: a member of the folder's group opens it while it is empty, and reads it once it is written."""
    seen: list[tuple[int, int, int]] = []

    def watched(act: Callable[..., None]) -> Callable[..., None]:
        def acting(descriptor: int, *values: int) -> None:
            act(descriptor, *values)
            status = os.fstat(descriptor)
            seen.append((stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid))

        return acting

    monkeypatch.setattr(os, "fchmod", watched(os.fchmod))
    monkeypatch.setattr(os, "fchown", watched(os.fchown))
    os.chown(tmp_path, 0, STRANGER)
    tmp_path.chmod(0o2770)
    put(tmp_path / "t", uid=STRANGER + 1, gid=STRANGER + 2, mode=0o640)
    assert seen[-1] == (0o640, STRANGER + 1, STRANGER + 2)
    assert [group for bits, _, group in seen if bits & 0o040 and group != STRANGER + 2] == []


def test_a_file_system_without_modes_gets_no_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """As a stick or a share of Windows: there, whatever is asked for, everybody may read."""
    chmod = os.fchmod
    monkeypatch.setattr(os, "fchmod", lambda descriptor, _: chmod(descriptor, 0o777))
    with pytest.raises(Misplaced, match="keeps no modes"):
        put(tmp_path / "t")
    assert os.listdir(tmp_path) == []  # noqa: PTH208


def test_a_reader_that_has_the_old_one_open_reads_it_to_its_end(tmp_path: Path):
    put(tmp_path / "t", b"the old one")
    with (tmp_path / "t").open("rb") as reader:
        put(tmp_path / "t", b"new")
        assert reader.read() == b"the old one"
    assert (tmp_path / "t").read_bytes() == b"new"


@AS_ROOT
def test_it_is_given_to_its_owner_and_group(tmp_path: Path):
    seen = put(tmp_path / "t", uid=STRANGER, gid=STRANGER + 1)
    assert (seen.uid, seen.gid) == (STRANGER, STRANGER + 1)
    status = (tmp_path / "t").stat()
    assert (status.st_uid, status.st_gid) == (STRANGER, STRANGER + 1)


def test_a_folder_may_give_its_group_on(tmp_path: Path):
    """As a volume in Kubernetes does with fsGroup."""
    groups = os.getgroups() or [os.getegid()]
    os.chown(tmp_path, -1, groups[-1])
    tmp_path.chmod(0o2770)
    assert put(tmp_path / "t", mode=0o640).gid == groups[-1]


@AS_ROOT
@pytest.mark.parametrize("target", ["victim", "nowhere"])
def test_a_strangers_link_in_its_place_is_replaced_and_not_followed(tmp_path: Path, target: str):
    """The attack: another user plants one in a folder for all, to have the broker write through it."""
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "t").symlink_to(target)
    os.lchown(tmp_path / "t", STRANGER, STRANGER)
    put(tmp_path / "t")
    assert not (tmp_path / "t").is_symlink()
    assert (tmp_path / "t").read_text() == "token"
    assert (tmp_path / "victim").read_text() == "precious"
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize(
    "make", [lambda path: path.symlink_to("victim"), lambda path: os.mkfifo(path, 0o600)]
)
def test_the_administrators_own_link_or_device_is_left_alone(tmp_path: Path, make: Callable[[Path], None]):
    """A slip in a path must not cost /dev/null, nor /dev/stdout."""
    (tmp_path / "victim").write_text("precious")
    make(tmp_path / "t")
    before = (tmp_path / "t").lstat()
    assert disk.holding(token_file(tmp_path / "t"), b"precious") is None
    with pytest.raises(
        Misplaced, match="is a link, a device or the like, and is not replaced; name a regular file"
    ):
        put(tmp_path / "t")
    assert not disk.remove(token_file(tmp_path / "t"), None)
    assert (tmp_path / "t").lstat() == before
    assert (tmp_path / "victim").read_text() == "precious"
    assert leftovers(tmp_path) == []


@AS_ROOT
def test_a_strangers_file_in_its_place_is_replaced(tmp_path: Path):
    (tmp_path / "t").write_text("a trap")
    os.chown(tmp_path / "t", STRANGER, STRANGER)
    (tmp_path / "t").chmod(0o666)
    assert disk.holding(token_file(tmp_path / "t"), b"a trap") is None, "its owner could change it"
    put(tmp_path / "t")
    assert ((tmp_path / "t").stat().st_uid, mode(tmp_path / "t")) == (0, 0o600)


@AS_ROOT
def test_in_a_folder_for_all_a_stranger_can_neither_read_nor_remove_it(public: Path):
    public.chmod(0o1777)
    put(public / "t")
    assert isinstance(as_user(STRANGER, (public / "t").lstat), os.stat_result)
    assert isinstance(as_user(STRANGER, (public / "t").read_bytes), PermissionError)
    assert isinstance(as_user(STRANGER, (public / "t").unlink), PermissionError)


def test_what_everybody_may_read_is_no_brokers_and_is_left_alone(tmp_path: Path):
    """A slip in a path must not cost /etc/passwd."""
    (tmp_path / "t").write_text("root:x:0:0")
    (tmp_path / "t").chmod(0o644)
    with pytest.raises(Misplaced, match="no broker has written it; remove it if nobody needs it"):
        put(tmp_path / "t")
    assert not disk.remove(token_file(tmp_path / "t"), None)
    assert (tmp_path / "t").read_text() == "root:x:0:0"
    assert leftovers(tmp_path) == []


def test_its_own_file_it_knows_again_whatever_somebody_has_made_of_it(tmp_path: Path):
    seen = put(tmp_path / "t")
    (tmp_path / "t").chmod(0o644)
    file = token_file(tmp_path / "t")
    disk.put(file, b"new", seen, lambda: True)
    assert mode(tmp_path / "t") == 0o600
    seen = disk.put(file, b"newer", None, lambda: True)
    (tmp_path / "t").chmod(0o666)
    assert disk.remove(file, seen)
    assert not (tmp_path / "t").exists()


def test_a_folder_in_its_place_is_left(tmp_path: Path):
    (tmp_path / "t").mkdir()
    with pytest.raises(Misplaced, match="is a folder"):
        put(tmp_path / "t")
    assert not disk.remove(token_file(tmp_path / "t"), None)


def test_what_is_not_wanted_any_more_is_not_put_in_place(tmp_path: Path):
    put(tmp_path / "t", b"old")
    with pytest.raises(Abandoned):
        disk.put(token_file(tmp_path / "t"), b"new", None, lambda: False)
    assert (tmp_path / "t").read_bytes() == b"old"
    assert leftovers(tmp_path) == []


def test_a_write_that_fails_leaves_the_old_one_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    put(tmp_path / "t", b"old")

    def full(descriptor: int, content: bytes) -> int:
        del descriptor, content
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space"):
        put(tmp_path / "t", b"new")
    assert (tmp_path / "t").read_bytes() == b"old"
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_text("other"),
        lambda path: path.write_text("token and more"),
        lambda path: path.chmod(0o640),
        lambda path: path.unlink(),
    ],
)
def test_it_holds_a_content_only_if_all_is_as_it_would_be_written(
    tmp_path: Path, spoil: Callable[[Path], object]
):
    seen = put(tmp_path / "t")
    assert disk.holding(token_file(tmp_path / "t"), b"token") == seen
    spoil(tmp_path / "t")
    assert disk.holding(token_file(tmp_path / "t"), b"token") is None


@AS_ROOT
def test_where_the_folder_does_not_let_it_go_it_is_emptied(public: Path):
    """An empty file is no token. One that has ended would still be taken for one."""
    put(public / "t", uid=STRANGER)
    public.chmod(0o555)
    assert isinstance(as_user(STRANGER, lambda: put(public / "t", b"new")), PermissionError)
    assert (public / "t").read_bytes() == b"token", "the last good one is kept"
    assert isinstance(as_user(STRANGER, lambda: disk.remove(token_file(public / "t"), None)), Emptied)
    assert (public / "t").read_bytes() == b""


def readers_by_default(folder: Path, uid: int) -> None:
    """Have each new file in the folder be this user's to read, by a list as in acl(5)."""
    entries = [(0x01, 7, -1), (0x02, 4, uid), (0x04, 0, -1), (0x10, 4, -1), (0x20, 0, -1)]
    packed = b"".join(struct.pack("<HHi", *entry) for entry in entries)
    try:
        os.setxattr(folder, "system.posix_acl_default", struct.pack("<I", 2) + packed)
    except OSError:
        pytest.skip("this file system has no lists of readers")


@AS_ROOT
def test_the_owner_of_the_folder_cannot_choose_its_readers(public: Path):
    """The attack: a list of readers that each new file in the folder begins with. Root's own is meant so."""
    (public / "f").mkdir(0o755)
    readers_by_default(public / "f", STRANGER)
    put(public / "f/t", mode=0o640, gid=STRANGER + 1)
    assert as_user(STRANGER, (public / "f/t").read_bytes) == b"token"
    os.chown(public / "f", STRANGER, STRANGER)
    put(public / "f/t", mode=0o640, gid=STRANGER + 1)
    assert isinstance(as_user(STRANGER, (public / "f/t").read_bytes), PermissionError)
    assert mode(public / "f/t") == 0o640


@AS_ROOT
def test_what_has_another_name_too_is_not_emptied(public: Path):
    """The attack: another user links a file of the broker's into a folder that lets nothing go."""
    put(public / "precious", b"precious", uid=STRANGER)
    os.link(public / "precious", public / "t")
    public.chmod(0o555)
    caught = as_user(STRANGER, lambda: disk.remove(token_file(public / "t"), None))
    assert isinstance(caught, PermissionError)
    assert (public / "precious").read_bytes() == b"precious"


def test_only_leftovers_of_this_file_are_cleaned_away(tmp_path: Path):
    ours = tmp_path / ".t.0123456789abcdef.broker-new"
    others = [
        ".u.0123456789abcdef.broker-new",
        ".t.0123.broker-new",
        "t.0123456789abcdef.broker-new",
        ".t.swp",
    ]
    for name in (ours.name, *others):
        (tmp_path / name).touch()
    disk.clean(token_file(tmp_path / "t"))
    assert {path.name for path in tmp_path.iterdir()} == set(others)
    disk.clean(token_file(tmp_path / "nowhere" / "t"))
