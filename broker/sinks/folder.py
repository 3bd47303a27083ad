"""The way to the folder of a token file, which nobody but its administrator has laid.

A broker that runs as root writes into folders of other users. Such a user could put a link in place of a folder and have
the file made elsewhere, as in /etc. So a link on the way is followed only where root or the broker's own user has made it,
in a folder of theirs.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_STEP = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_MOST_LINKS = 40  # as the kernel itself


class ForeignLink(OSError):
    """A link on the way that another user has made, or may have moved there."""

    def __init__(self, what: str, uid: int) -> None:
        super().__init__(errno.ELOOP, f"{what} on the way belongs to uid {uid}")


@contextmanager
def opened(folder: Path) -> Iterator[int]:
    """A descriptor of the folder; raises OSError."""
    step = _walked(folder)
    try:
        descriptor = os.open(".", _FOLDER, dir_fd=step)
    finally:
        os.close(step)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _walked(folder: Path) -> int:
    """The same to go on from, not yet opened for reading."""
    here = os.open("/", _STEP)
    ahead = list(reversed(folder.parts[1:]))
    links = 0
    try:
        while ahead:
            name = ahead.pop()
            step = os.open(name, _STEP, dir_fd=here)
            status = os.fstat(step)
            if not stat.S_ISLNK(status.st_mode):
                os.close(here)
                here = step
                continue
            try:
                links += 1
                _judge(name, status, os.fstat(here))
                target = _target(step, links)
            finally:
                os.close(step)
            if target.startswith("/"):
                os.close(here)
                here = os.open("/", _STEP)
            ahead += [part for part in reversed(target.split("/")) if part]
    except BaseException:
        os.close(here)
        raise
    return here


def _judge(name: str, link: os.stat_result, folder: os.stat_result) -> None:
    """Raise ForeignLink if another user has made the link, or could have moved one of root's to here."""
    trusted = {0, os.geteuid()}
    if link.st_uid not in trusted:
        raise ForeignLink(f"the link {name}", link.st_uid)
    if folder.st_uid not in trusted:
        raise ForeignLink(f"the folder of the link {name}", folder.st_uid)


def _target(link: int, links: int) -> str:
    if links > _MOST_LINKS:
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    return os.readlink("", dir_fd=link)
