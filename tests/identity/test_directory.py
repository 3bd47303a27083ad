"""A directory of fields, as people, systemd and Kubernetes lay it out."""

import os
import shutil
from pathlib import Path

import pytest

from broker.core.model import KeyById
from broker.core.secret import Secret
from broker.identity import directory, opening
from tests.identity.keys import BY_ID, BY_NAME, ID_FIELDS, NAME_FIELDS, SECRET, folder, refusal, volume


def test_both_methods_are_read(tmp_path: Path):
    assert directory.read(folder(tmp_path / "a", {**ID_FIELDS, "notes": "not a field"})) == BY_ID
    assert directory.read(folder(tmp_path / "b", NAME_FIELDS)) == BY_NAME


def test_a_volume_is_read_and_read_again_after_a_swap(tmp_path: Path):
    path = volume(tmp_path / "v", ID_FIELDS)
    assert directory.read(path) == BY_ID
    volume(path, {**ID_FIELDS, "secret": "new"}, "..2")
    assert KeyById(BY_ID.id, Secret("new")) == directory.read(path)


def test_a_swap_while_reading_never_mixes_two_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The kubelet swaps between the reading of `id` and of `secret`, and removes the old folder at once."""
    path = volume(tmp_path / "v", {"id": "old", "secret": "old-secret"})
    plain = opening.read
    swapped: list[bool] = []

    def slow(file: str, shown: str, **how: object) -> Secret:
        value = plain(file, shown, **how)  # type: ignore[arg-type]
        if not swapped:
            swapped.append(True)
            volume(path, {"id": "new", "secret": "new-secret"}, "..2")
            shutil.rmtree(path / "..1")
        return value

    monkeypatch.setattr(opening, "read", slow)
    assert KeyById("new", Secret("new-secret")) == directory.read(path)


def test_a_file_that_links_nowhere_is_told_apart_from_one_that_is_missing(tmp_path: Path):
    path = folder(tmp_path / "k", {"id": "x"})
    (path / "secret").symlink_to("gone")
    told = "/secret: is a link to something that does not exist; mend the link or create its target"
    assert [told] == refusal(lambda: directory.read(path), path)


def test_a_fifo_neither_hangs_nor_counts(tmp_path: Path):
    path = folder(tmp_path / "k", {"id": "x"})
    os.mkfifo(path / "secret", 0o600)
    assert refusal(lambda: directory.read(path), path) == [
        "/secret: is not a regular file; name a regular file"
    ]


def test_links_in_a_circle(tmp_path: Path):
    path = folder(tmp_path / "k", {"id": "x"})
    (path / "secret").symlink_to("secret")
    told = "/secret: is a link that leads round in a circle; mend the link"
    assert [told] == refusal(lambda: directory.read(path), path)


def test_a_directory_in_place_of_a_file(tmp_path: Path):
    path = folder(tmp_path / "k", {"secret": SECRET})
    (path / "id").mkdir()
    assert refusal(lambda: directory.read(path), path) == ["/id: is a directory; name a file"]


def test_an_empty_and_a_missing_directory(tmp_path: Path):
    (tmp_path / "k").mkdir()
    told = "/k: names no access key; give `id` and `secret`, or `name`, `user_id` and `secret`"
    assert [told] == refusal(lambda: directory.read(tmp_path / "k"), tmp_path)
    told = "/gone: does not exist; create it or correct the path"
    assert [told] == refusal(lambda: directory.read(tmp_path / "gone"), tmp_path)


def test_a_directory_that_never_stands_still_is_still_read_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """After some tries the last complete snapshot is as good as any."""
    path = folder(tmp_path / "k", ID_FIELDS)
    monkeypatch.setattr(directory, "_leads_to", lambda _: tmp_path.stat())
    assert directory.read(path) == BY_ID


def test_no_descriptor_is_left_open(tmp_path: Path):
    path = volume(tmp_path / "v", ID_FIELDS)
    before = len(list(Path("/proc/self/fd").iterdir()))
    directory.read(path)
    refusal(lambda: directory.read(tmp_path))
    assert before == len(list(Path("/proc/self/fd").iterdir()))
