"""Links on the way to a token file: those of root and of the broker are followed, another user's are a trap."""

import os
from pathlib import Path

import pytest

from broker.sinks import disk
from broker.sinks.folder import ForeignLink, opened
from broker.sinks.trouble import unwritten
from tests.sinks.kept import token_file

STRANGER = 12345


def same(one: Path, other: Path) -> bool:
    with opened(one) as descriptor:
        return os.path.samestat(os.fstat(descriptor), other.stat())


def test_folders_and_links_of_ones_own_are_walked(tmp_path: Path):
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "absolute").symlink_to(tmp_path / "a")
    (tmp_path / "a/up").symlink_to("../a/./b")
    (tmp_path / "chain").symlink_to("absolute/up")
    for way in ("a/b", "absolute/b", "absolute/up", "chain"):
        assert same(tmp_path / way, tmp_path / "a/b")
    assert same(Path("/"), Path("/"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may make links that belong to others")
@pytest.mark.parametrize("place", ["home", "home/config"])
def test_a_link_of_another_user_is_not_followed(tmp_path: Path, place: str):
    """The attack: a user turns their own folder into a link, to have root make a file of theirs elsewhere."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "home").mkdir()
    if place == "home":
        (tmp_path / "home").rmdir()
    (tmp_path / place).symlink_to(tmp_path / "etc")
    os.lchown(tmp_path / place, STRANGER, STRANGER)
    file = token_file(tmp_path / place / "t", uid=STRANGER)
    with pytest.raises(ForeignLink) as caught:
        disk.put(file, b"token", None, lambda: True)
    assert list((tmp_path / "etc").iterdir()) == []
    sentence = unwritten(file, caught.value)
    assert f"(the link {Path(place).name} on the way belongs to uid {STRANGER}); name its folder" in sentence


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give folders to others")
def test_a_link_of_roots_is_not_followed_in_a_folder_of_another_user(tmp_path: Path):
    """The attack: who owns a folder can move to the file's way a link that root has made there for something else."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "home").mkdir()
    (tmp_path / "home/config").symlink_to(tmp_path / "etc")
    os.chown(tmp_path / "home", STRANGER, STRANGER)
    with pytest.raises(
        ForeignLink, match=f"the folder of the link config on the way belongs to uid {STRANGER}"
    ):
        disk.put(token_file(tmp_path / "home/config/t"), b"token", None, lambda: True)
    assert list((tmp_path / "etc").iterdir()) == []


@pytest.mark.parametrize(
    ("way", "error"),
    [
        ("round", "Too many"),
        ("nowhere", "No such"),
        ("file", "Not a directory"),
        ("file/x", "Not a directory"),
    ],
)
def test_what_leads_to_no_folder_is_an_error(tmp_path: Path, way: str, error: str):
    (tmp_path / "round").symlink_to("round")
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=error), opened(tmp_path / way):
        pass


def test_no_descriptor_is_left_open(tmp_path: Path):
    (tmp_path / "link").symlink_to(tmp_path)
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    for way in ("", "link", "nowhere", "link/nowhere"):
        try:
            with opened(tmp_path / way):
                pass
        except FileNotFoundError:
            pass
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
