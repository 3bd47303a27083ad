"""Which process the broker is, where its socket alone does not tell.

A socket that a service manager opened names the manager as its server, for as long as it lives: then the manager is asked for
the process that it gave the socket to.
"""

import subprocess
from collections.abc import Callable
from pathlib import Path

from broker.diagnosis import manager
from broker.diagnosis.sockets import PROC, Server, is_manager, server_of


def broker_at(path: Path, main_pid: Callable[[], int] | None = None, proc: Path = PROC) -> Server | None:
    """The broker that serves this socket; None: it does not run, or that was not seen. Raises OSError."""
    server = server_of(path)
    if not is_manager(server, proc):
        return server
    if server.uid != 0:  # a user's own manager, which is not asked here
        return None
    pid = (main_pid or main_process)()
    uid = _uid(proc / str(pid) / "status") if pid else None
    return None if uid is None else Server(pid, uid)


def main_process() -> int:
    """The process of the service; 0: it does not run, or nobody tells."""
    try:
        said = manager.show()
    except (OSError, subprocess.SubprocessError):
        return 0
    unit = {} if said is None else manager.units_of(said).get(manager.SERVICE, {})
    word = next(iter(unit.get("MainPID", ())), "")
    return int(word) if word.isdecimal() else 0


def _uid(status: Path) -> int | None:
    """Its effective uid; the owner of its folder would be root, as the process is not dumpable."""
    try:
        lines = status.read_text(errors="replace").splitlines()
    except OSError:
        return None
    return next((int(line.split()[2]) for line in lines if line.startswith("Uid:")), None)
