"""The log in systemd's journal, where that reads our stderr: an entry for each event, with its priority and its fields.

- The message is for who reads `journalctl`: the event, then what belongs to it. The journal has the time itself.
- The event loop writes the log, so nothing waits for a journal that is busy or gone: the line goes to stderr then, which is the
  journal's too, as JSON.
"""

import json
import logging
import re
import socket
import sys
from pathlib import Path

from broker.observability import journald

_PRIORITY = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}  # as in syslog(3)
_PLAIN = re.compile(r"[^\s\"'=]+")
_TRACEBACK = "exception"


class LogEntries(logging.Handler):
    """Sends what its formatter makes, which must be a JSON object with `event` and `level`."""

    def __init__(self, path: Path = journald.SOCKET) -> None:
        super().__init__()
        self._path = str(path)
        self._socket = journald.opened()

    def emit(self, record: logging.LogRecord) -> None:
        """Send one event; never raises."""
        try:
            line = self.format(record)
            try:
                self._socket.sendto(_entry(line), socket.MSG_DONTWAIT, self._path)
            except OSError:
                sys.stderr.write(f"{line}\n")
                sys.stderr.flush()
        except Exception:  # noqa: BLE001  (as the library's own handlers: a log that fails ends nothing)
            self.handleError(record)

    def close(self) -> None:
        """Send nothing any more."""
        self._socket.close()
        super().close()


def _entry(line: str) -> bytes:
    told = json.loads(line)
    told.pop("timestamp", None)
    priority = _PRIORITY.get(told.pop("level", ""), _PRIORITY["info"])
    return journald.entry(_message(dict(told)), priority, told)


def _message(told: dict[str, object]) -> str:
    traceback = told.pop(_TRACEBACK, None)
    words = [str(told.pop("event", "")), *(f"{name}={_word(value)}" for name, value in told.items())]
    return " ".join(words) + ("" if traceback is None else f"\n{traceback}")


def _word(value: object) -> str:
    """As people read it: in quotes where it would not be seen where it ends."""
    return (
        value if isinstance(value, str) and _PLAIN.fullmatch(value) else json.dumps(value, ensure_ascii=False)
    )
