"""Our own sockets. A Unix socket is right from the first instant, never a stolen one, and leaves nothing behind.

- The mode is the umask's at `bind`; a `chmod` afterwards would leave a moment in which anybody may connect.
- A socket file that answers belongs to a living broker and is not touched. One that refuses is what a crash left and is
  replaced. Looking and replacing happen under a lock on the folder, so that two starts at once cannot both win.
- At the end, and after a failure, the file goes, unless somebody else's has taken its place.
"""

import contextlib
import errno
import fcntl
import grp
import os
import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from broker.core.errors import ConfigError, Problem

BACKLOG = 1024
# How long a living owner may take to accept our look at it.
PROBE_SECONDS = 1.0
# A start holds the lock for much less. Whoever may read the folder can hold it too, which must keep no broker from
# starting: so after this long we go on without it, as if there were no second start, which a stranger cannot cause.
LOCK_SECONDS = 1.0
_LOCK_PAUSE = 0.02
_MAY_CONNECT = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH


@contextlib.contextmanager
def unix_listener(path: Path, mode: int, group: str | None = None) -> Iterator[socket.socket]:
    """A listening socket at `path` for as long as the context lasts. Raises ConfigError with the remedy."""
    try:
        listener, file = _bound(path, mode, group)
    except OSError as error:
        raise ConfigError(
            Problem(
                str(path),
                f"cannot listen there ({error.strerror or error})",
                "choose a folder that this user may write",
            )
        ) from None
    try:
        yield listener
    finally:
        listener.close()
        _remove(path, file)


@contextlib.contextmanager
def tcp_listener(host: str, port: int) -> Iterator[socket.socket]:
    """A listening socket at an address for as long as the context lasts. Raises ConfigError with the remedy."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    where = f"[{host}]:{port}" if family == socket.AF_INET6 else f"{host}:{port}"
    try:
        listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        remedy = (
            "stop what listens there, or choose another port" if taken else "choose an address of this host"
        )
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise ConfigError(Problem(where, f"cannot listen there ({reason})", remedy)) from None
    with listener:
        listener.setblocking(False)  # noqa: FBT003  (the library's own signature)
        yield listener


def laxer(path: Path, mode: int, group: str | None) -> str | None:
    """How the file of a socket that others have made lets more connect than this would; None: it does not. Raises OSError."""
    there = path.stat()
    given = stat.S_IMODE(there.st_mode)
    if given & ~mode & _MAY_CONNECT:
        return f"has mode {given:04o}, and the settings say {mode:04o}"
    try:
        same = group is None or there.st_gid == _gid(group)
    except KeyError:
        same = False
    if same or not given & stat.S_IWGRP:
        return None
    return f"is of group {there.st_gid}, and the settings say {group}"


def _bound(path: Path, mode: int, group: str | None) -> tuple[socket.socket, int]:
    """The listening socket, and a descriptor of its file."""
    with _umask(0o022):
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    with _locked(path.parent):
        _make_room(path)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            with _umask(0o777 & ~mode):
                listener.bind(str(path))
            try:
                if group is not None:
                    _give(path, group)
                # Only from here on can anybody connect.
                listener.listen(BACKLOG)
                # Held open so that the number of this file goes to no other one while we compare by it.
                return listener, os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
            except BaseException:
                path.unlink(missing_ok=True)
                raise
        except BaseException:
            listener.close()
            raise


def _remove(path: Path, file: int) -> None:
    """Remove the socket's file if it still is this one; never fails, for the broker ends all the same."""
    # Under the lock, or a start might put its own file there between look and removal.
    with contextlib.suppress(OSError), _locked(path.parent):
        if os.path.samestat(path.lstat(), os.fstat(file)):
            path.unlink()
    os.close(file)


@contextlib.contextmanager
def _umask(umask: int) -> Iterator[None]:
    before = os.umask(umask)
    try:
        yield
    finally:
        os.umask(before)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Holds a lock on the folder itself, which needs no file that could be left behind."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _lock(descriptor)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> None:
    until = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                return None
            time.sleep(_LOCK_PAUSE)


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


def _give(path: Path, group: str) -> None:
    try:
        os.chown(path, -1, _gid(group))
    except (KeyError, OSError):
        raise ConfigError(
            Problem(
                str(path),
                f"cannot be given to the group {group}",
                "name a group of this host that the broker's user is in",
            )
        ) from None


def _gid(group: str) -> int:
    return int(group) if group.isdigit() else grp.getgrnam(group).gr_gid
