"""systemd's journal by its native protocol: one datagram an entry, with fields of their own.

Each datagram finds the socket by its path anew, so that a journal that was restarted is simply there again.
See https://systemd.io/JOURNAL_NATIVE_PROTOCOL/.
"""

import json
import re
import socket
import stat
from collections.abc import Mapping
from pathlib import Path

SOCKET = Path("/run/systemd/journal/socket")
_IDENTIFIER = "kakaocloud-broker"
_PREFIX = "KAKAOCLOUD_BROKER_"
_LONGEST_NAME = 64  # characters; the journal drops longer ones


def opened() -> socket.socket:
    """A socket from which entries can be sent."""
    return socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)


def listens(path: Path) -> bool:
    """Whether a socket is there; sends nothing."""
    try:
        return stat.S_ISSOCK(path.stat().st_mode)
    except OSError:
        return False


def entry(message: str, priority: int, fields: Mapping[str, object]) -> bytes:
    """One, as the journal reads it; `priority` as in syslog(3). Fields that are None are left out, what is no text is JSON."""
    known = [("MESSAGE", message), ("PRIORITY", priority), ("SYSLOG_IDENTIFIER", _IDENTIFIER)]
    ours = [(_name(name), value) for name, value in fields.items() if value is not None]
    return b"".join(_field(name, value) for name, value in (*known, *ours))


def _name(name: str) -> str:
    return (_PREFIX + re.sub(r"[^A-Z0-9]", "_", name.upper()))[:_LONGEST_NAME]


def _field(name: str, value: object) -> bytes:
    """One field; a text of several lines goes with its length before it."""
    # Whatever stands in a path, this must not fail.
    text = (value if isinstance(value, str) else json.dumps(value)).encode(errors="backslashreplace")
    if b"\n" in text:
        return name.encode() + b"\n" + len(text).to_bytes(8, "little") + text + b"\n"
    return name.encode() + b"=" + text + b"\n"
