"""The audit trail in systemd's journal, by its native protocol: one datagram a line, with the fields beside it.

Each datagram finds the socket by its path anew, so that a journal that was restarted is simply there again.
"""

import errno
import socket
import stat
import struct
from pathlib import Path

from broker.core.errors import ConfigError, Problem
from broker.observability.record import Record, Value

SOCKET = Path("/run/systemd/journal/socket")
PATIENCE = 1.0  # seconds that a journal which is busy is waited for
_NOTICE = {"refusal": "5", "lost": "4"}
_INFO = "6"
_IDENTIFIER = "kakaocloud-broker"
_PREFIX = "KAKAOCLOUD_BROKER_"


class ToJournald:
    """Implements the outlet's `Sink`."""

    where = "journald"

    def __init__(self, path: Path = SOCKET) -> None:
        """Raises ConfigError where there is no journal."""
        judge(path)
        self._path = str(path)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
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
    if not _is_socket(path):
        what = f"is journald, and there is no socket at {path}"
        remedy = 'start systemd-journald, or in a container mount that socket; or write "stdout"'
        raise ConfigError(Problem("log.audit", what, remedy))


def datagram(record: Record) -> bytes:
    """A record as the journal reads it."""
    event = str(record.fields["event"])
    fields: dict[str, Value] = {
        "MESSAGE": record.line.decode().rstrip("\n"),
        "PRIORITY": _NOTICE.get(event, _INFO),
        "SYSLOG_IDENTIFIER": _IDENTIFIER,
        **{f"{_PREFIX}{name.upper()}": value for name, value in record.fields.items()},
    }
    return b"".join(_field(name, value) for name, value in fields.items() if value is not None)


def _field(name: str, value: Value) -> bytes:
    """One field; a text of several lines goes with its length before it."""
    # Whatever stands in a path, this must not fail.
    text = str(value).encode(errors="backslashreplace")
    if b"\n" in text:
        return name.encode() + b"\n" + len(text).to_bytes(8, "little") + text + b"\n"
    return name.encode() + b"=" + text + b"\n"


def _is_socket(path: Path) -> bool:
    try:
        return stat.S_ISSOCK(path.stat().st_mode)
    except OSError:
        return False
