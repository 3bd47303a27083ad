"""`broker check` judges where the audit trail would go as `broker run` does, in the same words, and makes nothing there."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from broker.core.errors import ConfigError
from broker.observability import to_file
from broker.observability.journald import SOCKET
from broker.observability.to_file import ToFile
from tests.app.whole import key_folder
from tests.callers.folders import open_folder
from tests.cli.command import Ended, broker, environment

NOBODY = 65534
CLOSED = ("sh", "-c", 'exec "$@" >&-', "sh")
READ_ONLY = ("unshare", "--mount", "sh", "-c", 'mount -t tmpfs -o ro none "$0" && exec "$@"')


def settings(folder: Path, audit: object) -> str:
    """The path of a file that is good but for what `audit` may be."""
    key_folder(folder / "keys", "an-id", "a-secret")
    path = folder / "broker.toml"
    path.write_text(
        f'[identities.default]\nkeys = ["{folder}/keys"]\n[[listen]]\nunix = "{folder}/s"\n'
        f'[log]\naudit = "{audit}"\n'
    )
    return str(path)


async def refused(config: str) -> str:
    """What both commands say of it."""
    check, run = await broker("check", "--config", config), await broker("run", "--config", config)
    assert check == run
    return check.one_sentence(78)


def refused_after(config: str, *prefix: str) -> str:
    """The same where a command before them makes the circumstances."""
    check, run = (
        subprocess.run(
            [*prefix, sys.executable, "-m", "broker", command, "--config", config],
            capture_output=True, text=True, env=environment({}), timeout=30, check=False,
        )
        for command in ("check", "run")
    )  # fmt: skip
    told = [Ended(each.returncode, each.stdout, each.stderr) for each in (check, run)]
    assert told[0] == told[1]
    return told[0].one_sentence(78)


async def test_a_file_in_a_folder_that_is_missing(tmp_path: Path):
    assert await refused(settings(tmp_path, tmp_path / "no/audit.log")) == (
        f"log.audit: {tmp_path}/no/audit.log cannot be written (no such file or directory); "
        f"create its folder: install -d -m 0700 -o {os.geteuid()} {tmp_path}/no"
    )


@pytest.mark.skipif(SOCKET.exists(), reason="this host has a journal")
async def test_a_journal_that_is_missing(tmp_path: Path):
    assert "is journald, and there is no socket" in await refused(settings(tmp_path, "journald"))


def test_a_stdout_that_is_closed(tmp_path: Path):
    assert "is stdout, which is closed" in refused_after(settings(tmp_path, "stdout"), *CLOSED)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a disk")
def test_a_disk_that_is_read_only(tmp_path: Path):
    if subprocess.run(
        ("unshare", "--mount", "true"), capture_output=True, check=False, timeout=20
    ).returncode:
        pytest.skip("this host forbids new mount namespaces")
    disk = tmp_path / "disk"
    disk.mkdir()
    told = refused_after(settings(tmp_path, disk / "audit.log"), *READ_ONLY, str(disk))
    assert "cannot be written (read-only file system)" in told


async def test_it_is_told_beside_the_problems_of_keys(tmp_path: Path):
    config = settings(tmp_path, "/nowhere/audit.log")
    (tmp_path / "keys/secret").unlink()
    ended = await broker("check", "--config", config)
    assert (ended.code, len(ended.err.splitlines())) == (78, 2)


def state(folder: Path) -> list[tuple[str, int, int, bytes | None]]:
    """All that a start would change there."""
    found = [(each, each.stat()) for each in (folder, *folder.iterdir())]
    return [
        (each.name, status.st_mode, status.st_mtime_ns, None if each == folder else each.read_bytes())
        for each, status in found
    ]


@pytest.mark.parametrize("there", [None, b'{"event":"token"}\n', b'{"half a li'])
async def test_a_good_file_is_not_made_and_what_is_there_is_not_touched(tmp_path: Path, there: bytes | None):
    trail = tmp_path / "trail/audit.log"
    trail.parent.mkdir()
    if there is not None:
        trail.write_bytes(there)
    before = state(trail.parent)
    ended = await broker("check", "--config", settings(tmp_path, trail))
    assert (ended.code, ended.err) == (0, "")
    assert f"Audit trail: {trail}\n" in ended.out
    assert state(trail.parent) == before


async def test_off_is_good_whatever_there_is(tmp_path: Path):
    assert (await broker("check", "--config", settings(tmp_path, "off"))).code == 0


def bound(mode: int, path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
    path.chmod(mode)


def pipe(mode: int, path: Path) -> None:
    os.mkfifo(path)
    path.chmod(mode)


def file_of(uid: int, mode: int, path: Path) -> None:
    path.touch()
    path.chmod(mode)
    if os.geteuid() == 0:
        os.chown(path, uid, -1)


def folder_is(link: str | None, path: Path) -> None:
    """A link, or a file, is where its folder should be."""
    path.parent.rmdir()
    path.parent.symlink_to(link) if link else path.parent.touch()


# By what is at the path, or where its folder should be.
CASES: dict[str, Callable[[Path], None]] = {
    "link": lambda path: path.symlink_to(path.parent / "target"),
    "folder": lambda path: path.mkdir(),
    "pipe": partial(pipe, 0o666),
    "pipe that may not be opened": partial(pipe, 0o400),
    "socket": partial(bound, 0o666),
    "socket that may not be opened": partial(bound, 0o400),
    "device": partial(folder_is, "/dev"),
    "file that may not be written": partial(file_of, NOBODY, 0o400),
    "file of somebody else": partial(file_of, 54321, 0o666),
    "folder that is a file": partial(folder_is, None),
    "folder that leads in a circle": partial(folder_is, "in"),
    "folder that may not be written": lambda path: path.parent.chmod(0o555),
    "folder that may not be entered": lambda path: path.parent.chmod(0o600),
}


@contextmanager
def no_root() -> Iterator[None]:
    """Root may write anything."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(before)


def sentence(judge: Callable[[Path], object], path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        judge(path)
    return str(caught.value)


@pytest.mark.parametrize("case", CASES)
def test_what_can_be_no_trail_is_foreseen_in_the_words_of_the_start(case: str):
    if case == "file of somebody else" and os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    with open_folder() as folder:
        inner = folder / "in"
        inner.mkdir()
        inner.chmod(0o777)
        path = inner / ("full" if case == "device" else "audit.log")
        CASES[case](path)
        with no_root():
            foreseen = sentence(to_file.judge, path)
            assert foreseen == sentence(ToFile, path)
        if inner.is_dir():
            inner.chmod(0o777)
