"""Disks that are full, read-only, or hang: mounted for one test by root, and taken away after it. Else the test is skipped."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

_DEADLINE = 20.0  # seconds


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=_DEADLINE, check=True)
    return done.stdout.strip()


@contextmanager
def mounted(where: Path, *how: str) -> Iterator[None]:
    """`mount HOW... WHERE`, until the context ends."""
    where.mkdir(exist_ok=True)
    try:
        _run("mount", *how, str(where))
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("only root may mount a disk for a test, and not in every container")
    try:
        yield
    finally:
        _run("umount", "--lazy", str(where))


@contextmanager
def small(where: Path, kilobytes: int = 64) -> Iterator[None]:
    """A disk in memory that is soon full."""
    with mounted(where, "-t", "tmpfs", "-o", f"size={kilobytes}k,mode=0755", "tmpfs"):
        yield


def fill(folder: Path) -> Path:
    """Leave not one block; the file that takes them all."""
    filler = folder / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass
    return filler


@contextmanager
def read_only(where: Path) -> Iterator[None]:
    """A folder that nobody can write, root neither."""
    with mounted(where, "--bind", str(where)):
        _run("mount", "-o", "remount,bind,ro", str(where))
        yield


@contextmanager
def freezable(where: Path, image: Path) -> Iterator[None]:
    """A disk of its own, for `frozen`."""
    with image.open("wb") as file:
        file.truncate(16 * 1024 * 1024)
    try:
        _run("mkfs.ext4", "-q", "-F", str(image))
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("there is no mkfs.ext4 here")
    with mounted(where, "-o", "loop", str(image)):
        yield


@contextmanager
def frozen(where: Path) -> Iterator[None]:
    """Whoever writes there hangs until the context ends, as on a file server that has gone."""
    _run("fsfreeze", "--freeze", str(where))
    try:
        yield
    finally:
        _run("fsfreeze", "--unfreeze", str(where))
