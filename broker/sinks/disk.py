"""A token file on the disk: there whole or not at all, and its readers' alone from its first instant. All of it blocks.

- It is written beside its place under a name that nobody can guess, with its owner and mode before it holds a byte, and
  renamed when it is on the disk. What a stranger has put in its place, a link too, is replaced and never written through.
- What root or the broker's own user has put there and no broker would is a slip in the path, as /dev/null or /etc/passwd
  are, and left alone: a link, a device, a file that every user of the host may read.
"""

import errno
import os
import re
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from broker.sinks.folder import opened
from broker.sinks.token_file import TokenFile
from broker.sinks.trouble import FOREIGN, MODELESS, ODD, TAKEN, Emptied, Misplaced

LARGEST = 8 * 1024 * 1024  # bytes; IAM's whole answer has at most half of it
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_OLD = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_ENDING = ".broker-new"


@dataclass(frozen=True, slots=True)
class Seen:
    """What tells a file from one that somebody has put in its place, or has changed."""

    device: int
    inode: int
    size: int
    written: int  # nanoseconds since 1970
    mode: int
    uid: int
    gid: int

    @classmethod
    def of(cls, status: os.stat_result) -> "Seen":
        return cls(
            status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns,
            stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid,
        )  # fmt: skip

    def is_file(self, status: os.stat_result) -> bool:
        """Whether it is the very file, changed or not."""
        return (status.st_dev, status.st_ino) == (self.device, self.inode)


class Abandoned(Exception):
    """Nobody wants this content any more; what was there still is."""


def put(file: TokenFile, content: bytes, known: Seen | None, wanted: Callable[[], bool]) -> Seen:
    """Put the content in place of what was there. Raises OSError or Abandoned, and then what was there still is.

    `known` is the file as this broker left it. `wanted` is asked at the last moment: a disk may have hung for hours.
    """
    name = file.path.name
    with opened(file.path.parent) as within:
        judge(file, status_of(name, within), known)
        temporary = f".{name}.{secrets.token_hex(8)}{_ENDING}"
        try:
            with _descriptor(temporary, _NEW, within) as descriptor:
                if os.fstat(within).st_uid not in {0, os.geteuid(), file.uid}:
                    _drop_list(descriptor)
                _fill(file, descriptor, content)
                seen = Seen.of(os.fstat(descriptor))
            _still(wanted)
            os.rename(temporary, name, src_dir_fd=within, dst_dir_fd=within)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary, dir_fd=within)
            raise
        _sync(within)
    return seen


def holding(file: TokenFile, content: bytes) -> Seen | None:
    """The file that lies there, if it is just as `put` would make it; raises OSError."""
    with opened(file.path.parent) as within:
        status = status_of(file.path.name, within)
        if status is None or not stat.S_ISREG(status.st_mode) or status.st_size != len(content):
            return None
        try:
            with _descriptor(file.path.name, os.O_RDONLY | _OLD, within) as descriptor:
                status = os.fstat(descriptor)
                right = _as_set(file, status) and _content(descriptor, len(content)) == content
        except PermissionError:  # a broker that may give files away may not read them for that
            return None
        return Seen.of(status) if right else None


def look(file: TokenFile) -> Seen | None:
    """What lies there now; raises OSError."""
    try:
        with opened(file.path.parent) as within:
            status = status_of(file.path.name, within)
    except FileNotFoundError:
        return None
    return None if status is None else Seen.of(status)


def remove(file: TokenFile, known: Seen | None) -> bool:
    """Have no token there, and say whether there may have been one; raises OSError.

    Where the folder does not let it go, it is emptied: `Emptied`.
    """
    name = file.path.name
    try:
        with opened(file.path.parent) as within:
            status = status_of(name, within)
            if status is None or not _ours(file, status, known):
                return False
            try:
                os.unlink(name, dir_fd=within)
            except OSError as error:
                _empty(name, within, status, error)
            _sync(within)
    except FileNotFoundError:
        return False
    return True


def clean(file: TokenFile) -> None:
    """Remove what a broker that was killed has left beside the file; raises OSError."""
    leftover = re.compile(re.escape(f".{file.path.name}.") + "[0-9a-f]{16}" + re.escape(_ENDING))
    with suppress(FileNotFoundError), opened(file.path.parent) as within:
        for name in os.listdir(within):  # noqa: PTH208  (of the folder that was opened)
            if leftover.fullmatch(name):
                with suppress(OSError):  # another user's, in a folder for all
                    os.unlink(name, dir_fd=within)


def _still(wanted: Callable[[], bool]) -> None:
    if not wanted():
        raise Abandoned


def _fill(file: TokenFile, descriptor: int, content: bytes) -> None:
    # The group first: whoever is in the folder's own could open the file before, and read later what is written to it.
    # The owner last: of somebody else's file the mode may not be set.
    if file.gid is not None:
        os.fchown(descriptor, -1, file.gid)
    os.fchmod(descriptor, file.mode)
    if file.uid is not None:
        os.fchown(descriptor, file.uid, -1)
    if stat.S_IMODE(os.fstat(descriptor).st_mode) & ~file.mode:
        raise Misplaced(MODELESS)
    left = memoryview(content)
    while left:
        left = left[os.write(descriptor, left) :]
    os.fsync(descriptor)


def _drop_list(descriptor: int) -> None:
    """Who owns the folder can have each file in it begin with a list of readers (POSIX ACL): a mode of a group turns it on."""
    try:
        os.removexattr(descriptor, "system.posix_acl_access")
    except OSError as error:
        if error.errno not in {errno.ENODATA, errno.EOPNOTSUPP}:
            raise


def _sync(folder: int) -> None:
    """What is in the file is on the disk; that its name is too is only wished for, as either one does after a crash."""
    with suppress(OSError):
        os.fsync(folder)


def judge(file: TokenFile, status: os.stat_result | None, known: Seen | None) -> None:
    """Raise Misplaced if what stands in the file's place is not to be replaced."""
    if status is None or _ours(file, status, known):
        return
    if stat.S_ISDIR(status.st_mode):
        raise Misplaced(TAKEN)
    if _is_trusted(file, status.st_uid):
        raise Misplaced(FOREIGN if stat.S_ISREG(status.st_mode) else ODD)


def _ours(file: TokenFile, status: os.stat_result, known: Seen | None) -> bool:
    """Whether a broker may have written it."""
    if not stat.S_ISREG(status.st_mode):
        return False
    if known is not None and known.is_file(status):
        return True  # whatever somebody has made of it
    return not stat.S_IMODE(status.st_mode) & 0o007 and _is_trusted(file, status.st_uid)


def _is_trusted(file: TokenFile, uid: int) -> bool:
    """A stranger's file in a folder for all is a trap, and no slip of the administrator's."""
    return uid in {0, os.geteuid(), file.uid}


def _as_set(file: TokenFile, status: os.stat_result) -> bool:
    uid = os.geteuid() if file.uid is None else file.uid
    right_group = file.gid is None or file.gid == status.st_gid
    return stat.S_IMODE(status.st_mode) == file.mode and status.st_uid == uid and right_group


def _empty(name: str, within: int, status: os.stat_result, why: OSError) -> None:
    """An empty file is no token; one that has ended is still believed to be one."""
    try:
        with _descriptor(name, os.O_WRONLY | _OLD, within) as descriptor:
            there = os.fstat(descriptor)
            # With another name besides it may be somebody's own file: another user can link it into a folder of theirs.
            if not os.path.samestat(status, there) or there.st_nlink > 1:
                raise why
            os.ftruncate(descriptor, 0)
            os.fsync(descriptor)
    except OSError:
        raise why from None
    raise Emptied(why)


def status_of(name: str, within: int) -> os.stat_result | None:
    """What is called so in a folder, None where nothing is; raises OSError."""
    try:
        return os.stat(name, dir_fd=within, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _content(descriptor: int, length: int) -> bytes:
    content = bytearray()
    while len(content) <= length and (part := os.read(descriptor, length + 1 - len(content))):
        content += part
    return bytes(content)


@contextmanager
def _descriptor(name: str, flags: int, within: int) -> Iterator[int]:
    descriptor = os.open(name, flags, 0o600, dir_fd=within)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
