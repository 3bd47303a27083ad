"""The folder of the cache: ours alone, and for one broker at a time.

Where it cannot be used the broker runs on without it, and every attempt to keep something says why.
"""

import fcntl
import os
import shlex
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from broker.core.errors import Problem, StoreError
from broker.store import writing

LOCK = ".lock"
_ANOTHER = "name another folder as `path` under [cache]"
_LOCK = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Folder:
    """Where files are kept, or why none can be."""

    path: Path
    trouble: str | None = None  # one sentence with the remedy

    def read(self, name: str, largest: int) -> bytes | None:
        """What the file holds, None where there is none; raises Unusable. `largest` is in bytes."""
        return None if self.trouble is not None else writing.read(self.path, name, largest)

    def written_at(self, name: str) -> float | None:
        """When a file was written, in seconds of the wall clock since the epoch; None where that cannot be told."""
        try:
            return (self.path / name).lstat().st_mtime
        except OSError:
            return None

    def write(self, name: str, content: bytes) -> None:
        """Put the content in place of what was there; raises StoreError, and then what was there still is."""
        if self.trouble is not None:
            raise StoreError(self.trouble)
        try:
            writing.write(self.path, name, content)
        except OSError as error:
            raise StoreError(str(_unwritten(self.path, error))) from None

    def remove(self, name: str) -> None:
        """Have no file of this name; raises StoreError."""
        if self.trouble is not None:
            raise StoreError(self.trouble)
        try:
            writing.remove(self.path, name)
        except OSError as error:
            raise StoreError(str(_unwritten(self.path, error))) from None


@contextmanager
def cache_folder(path: Path) -> Iterator[Folder]:
    """The folder, made where only it is missing, and kept from other brokers until the end; raises nothing."""
    with ExitStack() as stack:
        try:
            real = _made(path)
            problem = _unfit(real) or _locked(real, stack)
            if problem is None:
                writing.clear(real)
        except (OSError, RuntimeError) as error:  # a link that leads round in a circle is a RuntimeError
            real, problem = path, _unwritten(path, error)
        yield Folder(real, None if problem is None else str(problem))


def _made(path: Path) -> Path:
    """The folder without links on the way, which nobody can turn elsewhere later."""
    real = path.resolve()
    with suppress(FileExistsError):
        real.mkdir(0o700)
    return real


def _unfit(folder: Path) -> Problem | None:
    with writing.opened(folder) as descriptor:
        status = os.fstat(descriptor)
        if status.st_uid != os.geteuid():
            what = f"belongs to uid {status.st_uid}, and the broker is uid {os.geteuid()}"
            return Problem(
                str(folder), what, f"name a folder inside it as `path` under [cache], or {_ours(folder)}"
            )
        if stat.S_IMODE(status.st_mode) != 0o700:
            os.fchmod(descriptor, 0o700)
            if stat.S_IMODE(os.fstat(descriptor).st_mode) & 0o077:
                return Problem(str(folder), "is on a file system that knows no modes", _ANOTHER)
    return None


def _ours(folder: Path) -> str:
    return f"run: chown {os.geteuid()} {shlex.quote(str(folder))}"


def _locked(folder: Path, stack: ExitStack) -> Problem | None:
    with writing.opened(folder) as within:
        lock = os.open(LOCK, _LOCK, 0o600, dir_fd=within)
    stack.callback(os.close, lock)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return Problem(str(folder), "is in use by another broker", f"end that one, or {_ANOTHER}")
    return None


def _unwritten(folder: Path, error: OSError | RuntimeError) -> Problem:
    told = writing.reason(error) if isinstance(error, OSError) else "its links lead round in a circle"
    remedy = f"make it a folder that uid {os.geteuid()} can write, with space left, or {_ANOTHER}"
    return Problem(str(folder), f"cannot be written ({told})", remedy)
