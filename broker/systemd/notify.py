"""What the service manager is told: sd_notify(3), a datagram for each message to the socket that NOTIFY_SOCKET names.

- Without that variable nothing is told, and nothing differs otherwise.
- Nobody waits for it: a manager that does not read, or has gone, loses the message, and the log says so once.
- The variables are taken out of the environment: a child that told in the broker's name would only confuse.
"""

import os
import socket
import time
from collections.abc import MutableMapping

import structlog

_log = structlog.get_logger()

_MICROSECONDS = 1_000_000
# Of a socket's name, sun_path.
_LONGEST = 107


class Manager:
    """The service manager, or nobody."""

    def __init__(self, address: bytes | None = None, watchdog: float | None = None) -> None:
        """`watchdog`: the seconds within which it wants a sign of life again and again; None: it wants none."""
        self.watchdog = watchdog
        self._address = address
        self._told_lost = False

    @classmethod
    def of(cls, environ: MutableMapping[str, str]) -> "Manager":
        """The one of this environment, out of which its variables are taken."""
        name = environ.pop("NOTIFY_SOCKET", "")
        usec, pid = environ.pop("WATCHDOG_USEC", ""), environ.pop("WATCHDOG_PID", "")
        ours = pid in {"", str(os.getpid())}
        watchdog = int(usec) / _MICROSECONDS if ours and usec.isdecimal() and int(usec) > 0 else None
        return cls(_address(name), watchdog)

    @property
    def listens(self) -> bool:
        """Whether there is one that wants to be told."""
        return self._address is not None

    def ready(self, status: str) -> None:
        """The broker serves, or serves by its new settings."""
        self._send("READY=1", f"STATUS={status}")

    def status(self, text: str) -> None:
        """One line for people."""
        self._send(f"STATUS={text}")

    def reloading(self) -> None:
        """New settings are being taken over; `ready` says when that has ended."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self, seconds: float) -> None:
        """No more is taken in, and the end comes within so many seconds."""
        self._send("STOPPING=1", f"EXTEND_TIMEOUT_USEC={int(seconds * _MICROSECONDS)}", "STATUS=draining")

    def alive(self) -> None:
        """A sign of life."""
        self._send("WATCHDOG=1")

    def close(self) -> None:
        """Nothing is told any more."""
        self._address = None

    def _send(self, *lines: str) -> None:
        if self._address is None:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as one:
                one.sendto("\n".join(lines).encode(), self._address)
        except OSError as error:
            if not self._told_lost:
                self._told_lost = True
                _log.warning(
                    "manager_unreachable", detail=f"the service manager is not told ({error.strerror})"
                )


def _address(name: str) -> bytes | None:
    """The socket's address: `@` stands for the zero byte of an abstract one; None where it is none."""
    address = os.fsencode(name)
    if not address.startswith((b"/", b"@")) or not 1 < len(address) <= _LONGEST:
        return None
    return b"\0" + address[1:] if address.startswith(b"@") else address
