"""The way to the folder of a token file, which nobody but its administrator has laid.

A broker that runs as root writes into folders of other users. Such a user could put a link in place of a folder and have
the file made elsewhere, as in /etc. So a link on the way is followed only where root or the broker's own user has made it.
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
    """A link on the way that another user has made."""

    def __init__(self, name: str, uid: int) -> None:
        super().__init__(errno.ELOOP, f"the link {name} on the way belongs to uid {uid}")


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
                target = _target(step, name, status.st_uid, links)
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


def _target(link: int, name: str, owner: int, links: int) -> str:
    if owner not in {0, os.geteuid()}:
        raise ForeignLink(name, owner)
    if links > _MOST_LINKS:
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    return os.readlink("", dir_fd=link)
