"""The audit trail in systemd's journal: an entry for each line, with the fields beside it."""

import errno
import socket
import struct
from pathlib import Path

from broker.core.errors import ConfigError, Problem
from broker.observability import journald
from broker.observability.record import Record

PATIENCE = 1.0  # seconds that a journal which is busy is waited for
_PRIORITY = {"refusal": 5, "lost": 4}  # notice, warning
_INFO = 6


class ToJournald:
    """Implements the outlet's `Sink`."""

    where = "journald"

    def __init__(self, path: Path = journald.SOCKET) -> None:
        """Raises ConfigError where there is no journal."""
        judge(path)
        self._path = str(path)
        self._socket = journald.opened()
        # It blocks our own thread, and no longer than this.
        seconds, rest = divmod(PATIENCE, 1)
        patience = struct.pack("@ll", int(seconds), int(rest * 1e6))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, patience)

    def write(self, record: Record) -> None:
        """Send it whole; raises OSError."""
        self._socket.sendto(datagram(record), self._path)

    def remedy(self, error: OSError) -> str:
        """What to do about it."""
        if error.errno in {errno.EACCES, errno.EPERM}:
            return f"let the broker write to {self._path}"
        return "see `systemctl status systemd-journald`"

    def close(self) -> None:
        self._socket.close()


def judge(path: Path) -> None:
    """Raises ConfigError where there is no journal; sends nothing."""
    if not journald.listens(path):
        what = f"is journald, and there is no socket at {path}"
        remedy = 'start systemd-journald, or in a container mount that socket; or write "stdout"'
        raise ConfigError(Problem("log.audit", what, remedy))


def datagram(record: Record) -> bytes:
    """A record as the journal reads it."""
    priority = _PRIORITY.get(str(record.fields["event"]), _INFO)
    return journald.entry(record.line.decode().rstrip("\n"), priority, record.fields)
