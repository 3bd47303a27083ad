"""The audit trail on stdout, which whoever started the broker reads, or does not."""

import errno
import os
import sys

from broker.core.errors import ConfigError, Problem
from broker.observability.record import Record
from broker.observability.stream import PATIENCE, Stream

_STDOUT = 1
_REMEDY = {
    errno.EPIPE: "its reader has ended; restart the broker with one that lasts",
    errno.ETIMEDOUT: "its reader does not read on; mend or restart it",
    errno.ENOSPC: "make room on the disk that it goes to",
}


class ToStdout:
    """Implements the outlet's `Sink`."""

    where = "stdout"

    def __init__(self, descriptor: int, patience: float = PATIENCE) -> None:
        """`descriptor` is our own from now on; whether it blocks is left as it is, for others share it."""
        self._stream = Stream(descriptor, patience)

    def write(self, record: Record) -> None:
        """Write it whole; raises OSError."""
        self._stream.write(record.line)

    def remedy(self, error: OSError) -> str:
        """What to do about it."""
        return _REMEDY.get(error.errno or errno.ETIMEDOUT, "see where stdout of the broker goes")

    def close(self) -> None:
        self._stream.close()


def judge() -> None:
    """Raises ConfigError where the process was started without a stdout."""
    if sys.__stdout__ is None:
        # Number 1 may be a socket of ours by now.
        raise ConfigError(
            Problem("log.audit", "is stdout, which is closed", 'open it, as by >/dev/null, or write "off"')
        )


def to_stdout() -> ToStdout:
    """Stdout as the broker was started with. Raises ConfigError."""
    judge()
    return ToStdout(os.dup(_STDOUT))
