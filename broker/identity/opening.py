"""Opens a file or directory of a key and judges what was opened, never what the path pointed to before.

- Nothing waits: a FIFO opens at once and is then refused, as is everything that is not a regular file.
- What is read is a `Secret` before it is anything else, and the buffer that it was read into is overwritten.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from broker.core.errors import ConfigError, Problem
from broker.core.secret import Secret, wipe
from broker.identity.modes import file_problem
from broker.identity.trouble import unopened

LARGEST = 64 * 1024  # bytes
_FILE = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
# O_PATH asks for no right to list the directory: a key's folder may be 0711.
_DIRECTORY = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC


@contextmanager
def directory(path: str | Path, within: int | None = None) -> Iterator[int]:
    """A descriptor to open files under; raises OSError. `within` is the directory that a relative path starts from."""
    descriptor = os.open(path, _DIRECTORY, dir_fd=within)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def read(
    path: str | Path, shown: str, *, within: int | None = None, secret: bool = True, projected: bool = False
) -> Secret:
    """The text of a file; raises FileNotFoundError, and ConfigError for all other trouble."""
    try:
        descriptor = os.open(path, _FILE, dir_fd=within)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ConfigError(unopened(error, shown)) from None
    content = bytearray(LARGEST + 1)
    try:
        problem = _unfit(os.fstat(descriptor), shown, secret=secret, projected=projected)
        length = 0 if problem else _fill(content, descriptor)
        if length > LARGEST:
            problem = _too_large(shown)
        if problem is None:
            # A slice of the buffer itself would be a copy that nobody overwrites.
            return Secret(str(memoryview(content)[:length], "utf-8", "replace"))
    except OSError as error:
        problem = unopened(error, shown)
    finally:
        os.close(descriptor)
        wipe(content)
    raise ConfigError(problem)


def _unfit(status: os.stat_result, shown: str, *, secret: bool, projected: bool) -> Problem | None:
    if stat.S_ISDIR(status.st_mode):
        return Problem(shown, "is a directory", "name a file")
    if not stat.S_ISREG(status.st_mode):
        return Problem(shown, "is not a regular file", "name a regular file")
    if status.st_size > LARGEST:
        return _too_large(shown)
    return file_problem(status, shown, secret=secret, projected=projected)


def _too_large(shown: str) -> Problem:
    return Problem(shown, f"is larger than {LARGEST // 1024} KiB", "name the file of an access key")


def _fill(buffer: bytearray, descriptor: int) -> int:
    """How many bytes there are, or just over the limit; a file may grow after it was looked at, and a read may be short."""
    length = 0
    with memoryview(buffer) as view:
        while length < len(buffer) and (more := os.readv(descriptor, [view[length:]])):
            length += more
    return length
