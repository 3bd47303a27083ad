"""Our own Unix socket: right from the first instant, never a stolen one, nothing left behind.

- The mode is the umask's at `bind`; a `chmod` afterwards would leave a moment in which anybody may connect.
- A socket file that answers belongs to a living broker and is not touched. One that refuses is what a crash left and is
  replaced. Looking and replacing happen under a lock on the folder, so that two starts at once cannot both win.
- At the end the file goes, unless somebody else's has taken its place.
"""

import contextlib
import fcntl
import grp
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

from broker.core.errors import ConfigError, Problem

BACKLOG = 1024
# How long a living owner may take to accept our look at it.
PROBE_SECONDS = 1.0


@contextlib.contextmanager
def unix_listener(path: Path, mode: int, group: str | None = None) -> Iterator[socket.socket]:
    """A listening socket at `path` for as long as the context lasts. Raises ConfigError with the remedy."""
    try:
        listener = _bound(path, mode, group)
    except OSError as error:
        raise ConfigError(
            Problem(
                str(path),
                f"cannot listen there ({error.strerror})",
                "choose a folder that this user may write",
            )
        ) from None
    inode = path.stat().st_ino
    try:
        yield listener
    finally:
        listener.close()
        with contextlib.suppress(FileNotFoundError):
            if path.lstat().st_ino == inode:
                path.unlink()


def _bound(path: Path, mode: int, group: str | None) -> socket.socket:
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    with _locked(path.parent):
        _make_room(path)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            umask = os.umask(0o777 & ~mode)
            try:
                listener.bind(str(path))
            finally:
                os.umask(umask)
            if group is not None:
                os.chown(path, -1, _gid(group))
            # Only from here on can anybody connect.
            listener.listen(BACKLOG)
        except BaseException:
            listener.close()
            raise
        return listener


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Holds a lock on the folder itself, which needs no file that could be left behind."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _make_room(path: Path) -> None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise ConfigError(
            Problem(str(path), "is there already and is no socket", "remove it or choose another path")
        )
    if _answers(path):
        raise ConfigError(
            Problem(str(path), "belongs to a broker that is running", "stop that one or choose another path")
        )
    path.unlink()


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(PROBE_SECONDS)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            return False
        except OSError:
            return True  # too busy, or not ours to reach: alive for all we know
        return True


def _gid(group: str) -> int:
    return int(group) if group.isdigit() else grp.getgrnam(group).gr_gid
