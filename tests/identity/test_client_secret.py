"""The file of a client secret: what it may hold, who may read it, and how it is laid out and replaced."""

import os
import shutil
from pathlib import Path

import pytest

from broker.core.secret import Secret
from broker.identity import client_secret, opening
from tests.identity.keys import SECRET, refusal, volume

GOOD = Secret(SECRET)
REMEDY = (
    "write one line of 16 to 1024 printable ASCII characters without spaces, as openssl rand -hex 32 makes it"
)
ODD = "holds a space, a further line or a character that is not printable ASCII"
ALL = "can be read by every user of this host"


def file(folder: Path, content: str | bytes, mode: int = 0o600) -> Path:
    path = folder / "client-secret"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    path.chmod(mode)
    return path


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_one_line_end_is_taken_off(tmp_path: Path, end: str):
    assert client_secret.read(file(tmp_path, SECRET + end)) == GOOD


@pytest.mark.parametrize("text", ["x" * 16, "x" * 1024, "!\"#$%&'()*+,-./0;<=>?@AZ[\\]^_`az{|}~"])
def test_every_printable_character_and_both_ends_of_the_length_are_taken(tmp_path: Path, text: str):
    assert client_secret.read(file(tmp_path, f"{text}\n")) == Secret(text)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("", "is empty"),
        ("\n", "is empty"),
        ("x" * 15, "is shorter than 16 characters"),
        ("x" * 1025, "is longer than 1024 characters"),
        (f"{SECRET}\n\n", ODD),
        (f"{SECRET}\n{SECRET}", ODD),
        (f"{SECRET}\r", ODD),
        (f"\n{SECRET}", ODD),
        (f" {SECRET}", ODD),
        (f"{SECRET} \n", ODD),
        (f"two words {SECRET}", ODD),
        (f"{SECRET}\tx", ODD),
        (f"{SECRET}\0", ODD),
        (f"{SECRET}\x7f", ODD),
        (f"{SECRET}\u2028", ODD),
        (f"{SECRET}ü", ODD),
        (f"{SECRET}".encode() + b"\xff", ODD),
        (f"{SECRET}".encode("utf-16"), ODD),
    ],
)
def test_what_is_no_secret_is_told_without_repeating_it(tmp_path: Path, content: str | bytes, what: str):
    path = file(tmp_path, content)
    assert refusal(lambda: client_secret.read(path), tmp_path) == [f"/client-secret: {what}; {REMEDY}"]


@pytest.mark.parametrize(
    ("mode", "what", "mended"),
    [
        (0o644, ALL, "0600"),
        (0o604, ALL, "0600"),
        (0o602, "can be written by every user of this host", "0600"),
        (0o640, "can be read by the group 54321", "0600"),
    ],
)
def test_a_file_that_others_may_read_or_write_is_refused_with_the_chmod_that_mends_it(
    tmp_path: Path, mode: int, what: str, mended: str
):
    path = file(tmp_path, SECRET, mode)
    if os.geteuid() == 0:
        os.chown(path, 0, 54321)
    elif "group" in what:
        what = f"can be read by the group {path.stat().st_gid}"
    told = f"/client-secret: {what}; run: chmod {mended} /client-secret"
    assert refusal(lambda: client_secret.read(path), tmp_path) == [told]
    path.chmod(int(mended, 8))
    assert client_secret.read(path) == GOOD


@pytest.mark.skipif(os.geteuid() != 0, reason="giving files to root needs root")
def test_a_projection_of_kubernetes_is_accepted_and_read_again_after_a_swap(tmp_path: Path):
    path = volume(tmp_path / "v", {"secret": SECRET}, mode=0o440) / "secret"
    assert client_secret.read(path) == GOOD
    volume(tmp_path / "v", {"secret": "x" * 32}, "..2", mode=0o440)
    assert client_secret.read(path) == Secret("x" * 32)


def test_a_volume_is_mended_where_it_is_declared(tmp_path: Path):
    path = volume(tmp_path / "v", {"secret": SECRET}, mode=0o644) / "secret"
    told = f"/secret: {ALL}; set `defaultMode: 0440` on the volume, and `fsGroup` to a group of the broker"
    assert refusal(lambda: client_secret.read(path), path.parent) == [told]


def test_a_folder_that_is_swapped_and_removed_in_the_middle_of_a_look_is_looked_into_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The kubelet removes the old folder after the link was followed and before the file is opened."""
    path = volume(tmp_path / "v", {"secret": "old-secret-0123456789"}) / "secret"
    plain, gone = opening.read, tmp_path / "v/..1/secret"

    def slow(_file: Path, shown: str, *, projected: bool) -> Secret:
        if gone.exists():
            volume(tmp_path / "v", {"secret": SECRET}, "..2")
            shutil.rmtree(gone.parent)
            return plain(gone, shown, projected=projected)
        return plain(path, shown, projected=projected)

    monkeypatch.setattr(opening, "read", slow)
    assert client_secret.read(path) == GOOD


def test_what_is_no_file(tmp_path: Path):
    def told(name: str) -> list[str]:
        return refusal(lambda: client_secret.read(tmp_path / name), tmp_path)

    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("gone")
    os.mkfifo(tmp_path / "fifo", 0o600)
    assert told("gone") == ["/gone: does not exist; create it or correct the path"]
    assert told("folder") == ["/folder: is a directory; name a file"]
    assert told("fifo") == ["/fifo: is not a regular file; name a regular file"]
    assert told("link") == [
        "/link: is a link to something that does not exist; mend the link or create its target"
    ]
