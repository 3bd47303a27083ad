"""The broker's Unix sockets: is the file there, may we connect, and who serves there.

- A file that nobody listens at is left over, or is one that was mounted into a container by itself: the mount keeps the old
  file when the broker makes a new one.
- Who listens is told by the kernel (SO_PEERCRED), not by the file's owner.
"""

import os
import socket
import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from broker.client.address import trusted_owners
from broker.diagnosis.finding import Finding, ok, problem, warning
from broker.settings import UnixListener

_UCRED = struct.Struct("=iII")  # pid, uid, gid
PROC = Path("/proc")
_TIMEOUT = 2.0  # seconds
_START = "start it: systemctl start kakaocloud-broker, or broker run; or see its log"
_MOUNT = "mount its folder instead: a mounted file stays the old one when the broker makes another"


@dataclass(frozen=True, slots=True)
class Server:
    """Who listens at a socket."""

    pid: int  # 0: of another pid namespace
    uid: int


def server_of(path: Path) -> Server:
    """Who listens there. Raises OSError."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(_TIMEOUT)
        client.connect(str(path))
        pid, uid, _ = _UCRED.unpack(client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
    return Server(pid, uid)


def unix_socket(path: Path, listener: UnixListener | None = None) -> Iterator[Finding]:
    """What can be said of one socket; `listener` is what the settings have for it."""
    about = f"socket {path}"
    try:
        there = path.stat()
    except PermissionError:
        yield warning(
            about, "was not seen: this user may not enter its folder", f"run: chmod o+x {path.parent}"
        )
        return
    except OSError:
        yield problem(about, "is not there: no broker is running", _START, absent=True)
        return
    if not stat.S_ISSOCK(there.st_mode):
        yield problem(about, "is no socket", "move away what lies there, or correct [[listen]]")
        return
    mounted = is_mounted(path)
    try:
        server = server_of(path)
    except ConnectionRefusedError:
        yield problem(
            about, "is stale: nobody listens at it", _MOUNT if mounted else _START, absent=not mounted
        )
        return
    except PermissionError:
        remedy = "change mode or group under [[listen]], or run this as root"
        yield warning(about, f"this user may not connect (mode {stat.S_IMODE(there.st_mode):04o})", remedy)
        return
    except TimeoutError:
        yield problem(about, "takes no connection: its queue is full", "see the broker's log and load")
        return
    yield _served(about, path, there, server)
    if mounted:
        yield warning(about, "is itself a mount, which goes stale at the broker's next start", _MOUNT)
    if listener is not None and stat.S_IMODE(there.st_mode) != listener.mode:
        says = f"has mode {stat.S_IMODE(there.st_mode):04o}, and the settings say {listener.mode:04o}"
        yield warning(about, says, "restart the broker, or correct SocketMode= of its socket unit")


def is_manager(server: Server, proc: Path = PROC) -> bool:
    """Whether it is systemd, the host's or a user's, that opened the socket."""
    try:
        return server.pid != 0 and (proc / str(server.pid) / "comm").read_text().strip() == "systemd"
    except OSError:
        return False


def _served(about: str, path: Path, there: os.stat_result, server: Server) -> Finding:
    who = f"served by uid {server.uid}" + (f", pid {server.pid}" if server.pid else "")
    if is_manager(server):
        who = f"opened by systemd (uid {server.uid}) for its service"
    says = f"{who}; mode {stat.S_IMODE(there.st_mode):04o}, owner {there.st_uid}:{there.st_gid}"
    if server.uid in trusted_owners(str(path)) or server.uid == there.st_uid:
        return ok(about, says)
    remedy = "clients refuse it unless KAKAOCLOUD_BROKER_URL names it; give its folder to the broker's user"
    return warning(about, f"{who}, who is neither root, you nor the folder's owner", remedy)


def is_mounted(path: Path, mounts: Path = Path("/proc/self/mountinfo")) -> bool:
    """Whether this very file is a mount."""
    try:
        points = [line.split()[4] for line in mounts.read_text(errors="replace").splitlines()]
    except (OSError, IndexError):
        return False
    return os.path.realpath(path).replace("\\", "\\134").replace(" ", "\\040") in points
