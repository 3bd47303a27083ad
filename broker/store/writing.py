"""Files of ours in one folder: written whole or not at all, read only where nobody else could have written them.

- A file appears under its name with all its bytes, on the disk, with mode 0600 from its first instant.
- No link is followed, no FIFO waited for, and no more is read than a file of ours can have.
- The name of a temporary file is fixed: one writer a file, and the next write clears what a crash has left.
"""

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from broker.store.unusable import Unusable

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@contextlib.contextmanager
def opened(path: Path | str, flags: int = _FOLDER, within: int | None = None) -> Iterator[int]:
    """A descriptor of the folder itself, or of a file within one; raises OSError."""
    descriptor = os.open(path, flags, 0o600, dir_fd=within)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def write(folder: Path, name: str, content: bytes) -> None:
    """Put the content in place of what was there; raises OSError, and then what was there still is."""
    temporary = _temporary(name)
    with opened(folder) as within:
        _unlink(temporary, within)
        try:
            with opened(temporary, _NEW, within) as file:
                _fill(file, content)
            os.rename(temporary, name, src_dir_fd=within, dst_dir_fd=within)
        except OSError:
            with contextlib.suppress(OSError):
                _unlink(temporary, within)
            raise
        os.fsync(within)


def remove(folder: Path, name: str) -> None:
    """Have no file of this name, on the disk too; raises OSError."""
    with opened(folder) as within:
        _unlink(name, within)
        os.fsync(within)


def read(folder: Path, name: str, largest: int) -> bytes | None:
    """What the file holds, None where there is none; raises Unusable. `largest` is in bytes."""
    try:
        with opened(folder) as within, opened(name, _READ, within) as file:
            _judge(os.fstat(file))
            content = _content(file, largest)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Unusable(f"it cannot be read ({reason(error)})") from None
    if len(content) > largest:
        raise Unusable("it is too large")
    return content


def clear(folder: Path) -> None:
    """Remove what writes that never ended have left; raises OSError."""
    with opened(folder) as within:
        for name in os.listdir(within):  # noqa: PTH208 - of the folder that was opened
            if name == _temporary(name[1:-4]):
                _unlink(name, within)


def reason(error: OSError) -> str:
    """The system's own words, without a path."""
    return os.strerror(error.errno).lower() if error.errno else "unknown error"


def _temporary(name: str) -> str:
    return f".{name}.new"


def _unlink(name: str, within: int) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=within)


def _fill(file: int, content: bytes) -> None:
    os.fchmod(file, 0o600)  # a umask may have taken more
    left = memoryview(content)
    while left:
        left = left[os.write(file, left) :]
    os.fsync(file)


def _content(file: int, largest: int) -> bytes:
    """Everything up to just over the limit; a read may be short."""
    content = bytearray()
    while len(content) <= largest and (part := os.read(file, largest + 1 - len(content))):
        content += part
    return bytes(content)


def _judge(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise Unusable("it is no regular file")
    if status.st_uid != os.geteuid():
        raise Unusable("it belongs to another user")
    if stat.S_IMODE(status.st_mode) & 0o077:
        raise Unusable("its mode lets other users at it")
