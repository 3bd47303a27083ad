"""The log in systemd's journal, where that reads our stderr: an entry for each event, with its priority and its fields.

- The message is for who reads `journalctl`: the event, then what belongs to it. The journal has the time itself.
- The event loop writes the log, so nothing waits for a journal that is busy or gone: the line goes to stderr then, which is the
  journal's too, as JSON. What that does not take either is lost, and how many lines were is told later.
"""

import json
import logging
import re
import select
import socket
import sys
from pathlib import Path

from broker.observability import journald

_PRIORITY = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}  # as in syslog(3)
_PLAIN = re.compile(r"[!#-&(-<>-~]+")  # visible, and neither quote nor equals sign
_STDERR = 2
_TRACEBACK = "exception"


class LogEntries(logging.Handler):
    """Sends what its formatter makes, which must be a JSON object with `event` and `level`."""

    def __init__(self, path: Path = journald.SOCKET) -> None:
        super().__init__()
        self._path = str(path)
        self._socket = journald.opened()
        self._lost = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Send one event; never raises."""
        try:
            self._send(self.format(record))
        except Exception:  # noqa: BLE001  (as the library's own handlers: a log that fails ends nothing)
            self.handleError(record)

    def _send(self, line: str) -> None:
        told = json.loads(line)
        told.pop("timestamp", None)
        priority = _PRIORITY.get(told.pop("level", ""), _PRIORITY["info"])
        try:
            if self._lost:
                self._give({"event": "log_lost", "lines": self._lost}, _PRIORITY["warning"])
                self._lost = 0
            self._give(told, priority)
        except OSError:
            # The journal takes the beginning for the priority, see sd-daemon(3).
            self._lost += not _put(f"<{priority}>{line}\n")

    def _give(self, told: dict[str, object], priority: int) -> None:
        entry = journald.entry(_message(dict(told)), priority, told)
        self._socket.sendto(entry, socket.MSG_DONTWAIT, self._path)

    def close(self) -> None:
        """Send nothing any more."""
        self._socket.close()
        super().close()


def _message(told: dict[str, object]) -> str:
    traceback = told.pop(_TRACEBACK, None)
    words = [str(told.pop("event", "")), *(f"{name}={_word(value)}" for name, value in told.items())]
    return " ".join(words) + ("" if traceback is None else f"\n{traceback}")


def _word(value: object) -> str:
    """As people read it: in quotes where it would not be seen where it ends."""
    if isinstance(value, str) and _PLAIN.fullmatch(value):
        return value
    # What a terminal would obey, or the journal not show as text, is escaped.
    return json.dumps(value, ensure_ascii=not str(value).isprintable())


def _put(line: str) -> bool:
    """Write it to stderr, if that takes it now."""
    ready = select.poll()
    ready.register(_STDERR, select.POLLOUT)
    if not ready.poll(0):
        return False
    sys.stderr.write(line)
    sys.stderr.flush()
    return True
