"""The audit trail in a file of its own, which may be rotated under it.

- The file is ours alone from its first instant, whatever the umask; a link, a FIFO or somebody else's file is refused.
- Before each line it is seen whether the path still is that file: when it was moved or removed, a new one is begun.
- A line is never put behind half a line that a full disk, or a broker that was killed, has left.
"""

import errno
import os
import shlex
import stat
from collections.abc import Callable
from pathlib import Path

from broker.core.errors import ConfigError, Problem
from broker.observability.record import Record
from broker.observability.stream import Stream

# To read too: the end of what is there.
_FLAGS = os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_NEW = _FLAGS | os.O_CREAT | os.O_EXCL
# What no waiting mends: at the start it is a mistake in the settings.
_MISTAKES = {
    errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.EPERM, errno.EROFS, errno.ELOOP, errno.EISDIR, errno.ENXIO,
    errno.EINVAL, errno.ENAMETOOLONG,
}  # fmt: skip


class ToFile:
    """Implements the outlet's `Sink`."""

    def __init__(self, path: Path, opener: Callable[[Path], int] | None = None) -> None:
        """Raises ConfigError where the path can be no such file; a disk that is full is trouble for later."""
        self.where = str(path)
        self._path = path
        self._open = opener or open_trail
        self._stream: Stream | None = None
        try:
            self._begin()
        except OSError as error:
            _blame(path, error)

    def write(self, record: Record) -> None:
        """Write it whole; raises OSError."""
        if self._stream is None or self._moved(self._stream.descriptor):
            self.close()
            self._begin()
        if self._stream is not None:
            self._stream.write(record.line)

    def remedy(self, error: OSError) -> str:
        """What to do about it."""
        return _remedy(self._path, error)

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _begin(self) -> None:
        descriptor = self._open(self._path)
        self._stream = Stream(descriptor, torn=_torn(descriptor))

    def _moved(self, descriptor: int) -> bool:
        try:
            there = self._path.lstat()
        except FileNotFoundError:
            return True
        return not os.path.samestat(there, os.fstat(descriptor))


def judge(path: Path) -> None:
    """Foresee whether the path can be such a file, and make nothing. Raises ConfigError in the words of the start."""
    try:
        _foresee(path)
    except OSError as error:
        _blame(path, error)


def open_trail(path: Path) -> int:
    """A descriptor of the file, made where it is missing; raises OSError."""
    try:
        descriptor = os.open(path, _NEW, 0o600)
    except FileExistsError:
        return _open_old(path)
    os.fchmod(descriptor, 0o600)  # a umask may have taken more
    return descriptor


def _open_old(path: Path) -> int:
    descriptor = os.open(path, _FLAGS)
    try:
        _ours_alone(os.fstat(descriptor))
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _ours_alone(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "it is no regular file")
    if status.st_uid not in {0, os.geteuid()}:
        # Whoever owns it can read it, and take lines away again.
        raise PermissionError(errno.EPERM, f"it belongs to uid {status.st_uid}")


def _foresee(path: Path) -> None:
    """Raise the OSError that `open_trail` would."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        _foresee_new(path.parent)
        return
    if stat.S_ISREG(status.st_mode):
        os.close(_open_old(path))
        return
    # Opened, a FIFO would wake who waits at its other end, and a device may do anything.
    if stat.S_ISLNK(status.st_mode):
        raise _error(errno.ELOOP)
    if stat.S_ISDIR(status.st_mode):
        raise _error(errno.EISDIR)
    if not os.access(path, os.R_OK | os.W_OK, effective_ids=True):
        raise _error(errno.EACCES)
    if stat.S_ISSOCK(status.st_mode):
        raise _error(errno.ENXIO)
    _ours_alone(status)


def _foresee_new(folder: Path) -> None:
    if os.statvfs(folder).f_flag & os.ST_RDONLY:  # raises where there is no folder
        raise _error(errno.EROFS)
    if not os.access(folder, os.W_OK | os.X_OK, effective_ids=True):
        raise _error(errno.EACCES)


def _error(number: int) -> OSError:
    return OSError(number, os.strerror(number))


def _blame(path: Path, error: OSError) -> None:
    """Raise ConfigError if what opening it came to is a mistake in the settings."""
    if error.errno in _MISTAKES:
        what = f"{path} cannot be written ({str(error.strerror).lower()})"
        raise ConfigError(Problem("log.audit", what, _remedy(path, error))) from None


def _remedy(path: Path, error: OSError) -> str:
    folder, uid = shlex.quote(str(path.parent)), os.geteuid()
    match error.errno:
        case errno.ENOENT | errno.ENOTDIR:
            return f"create its folder: install -d -m 0700 -o {uid} {folder}"
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return f"let uid {uid} write it and {folder}, and own it"
        case errno.ELOOP | errno.EISDIR | errno.EINVAL | errno.ENXIO:
            return "name a regular file, no link, folder or device"
        case errno.ENOSPC | errno.EDQUOT:
            return "make room on its disk"
        case errno.EFBIG:
            return "rotate it, or raise the limit on the size of files"
        case _:
            return "check its disk"


def _torn(descriptor: int) -> bool:
    size = os.fstat(descriptor).st_size
    return size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
