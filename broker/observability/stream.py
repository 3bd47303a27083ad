"""Whole lines to a descriptor that may be full, slow, closed or shared."""

import errno
import os
import select

PATIENCE = 5.0  # seconds until a reader that does not read is trouble
_NEWLINE = ord("\n")


class Stream:
    """A descriptor of our own, to be closed with it."""

    def __init__(self, descriptor: int, patience: float = PATIENCE, *, torn: bool = False) -> None:
        """`torn`: what is there ends in the middle of a line."""
        self.descriptor = descriptor
        self._patience = patience
        self._torn = torn
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)

    def write(self, line: bytes) -> None:
        """Write it whole; raises OSError, and what was written of it then stands on a line of its own."""
        left = memoryview(b"\n" + line if self._torn else line)
        while left:
            # Also where it blocks: a pipe that is ready takes a line whole, and nobody waits longer than this.
            if not self._poll.poll(self._patience * 1000):
                raise TimeoutError(errno.ETIMEDOUT, "it takes no more")
            written = os.write(self.descriptor, left)
            self._torn = left[written - 1] != _NEWLINE
            left = left[written:]

    def close(self) -> None:
        os.close(self.descriptor)
