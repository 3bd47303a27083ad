"""Commands that go on until they are ended: by SIGINT or SIGTERM, or by a reader of stdout that left; each is exit code 0.

A reader that left is noticed at once and not at the next line, which may be hours away: a thread watches stdout.
"""

import contextlib
import os
import select
import signal
import threading
from collections.abc import Iterator
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class _Ended(BaseException):
    """No fault, so nothing that handles faults may take it for one."""


@contextlib.contextmanager
def until_ended() -> Iterator[None]:
    """Leave the block, however deep in it, when the command is ended."""
    for number in _SIGNALS:
        signal.signal(number, _end)
    threading.Thread(target=_watch, daemon=True).start()
    try:
        yield
    except (_Ended, BrokenPipeError):
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        # What nobody reads must not be tried once more at the interpreter's end, which would tell of it its way.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _end(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise _Ended


def _watch() -> None:
    """End the command once stdout's other end is gone; on a file or terminal this waits for ever."""
    watched = select.poll()
    watched.register(1, 0)
    if watched.poll():
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
