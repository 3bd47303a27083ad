"""How a run is cut short: by a signal or its deadline, and never without ending what it started."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM)


class CutShort(BaseException):
    """Not an Exception: nobody but the command itself takes it for a fault of what runs."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextmanager
def cut_short_by_signals(seconds: float) -> Iterator[None]:
    """Raise CutShort on a signal, and after so many seconds; once, so that what follows it can end in order."""

    def cut(number: int, _frame: FrameType | None) -> None:
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        raise CutShort(number)

    before = {number: signal.signal(number, cut) for number in _SIGNALS}
    signal.alarm(int(seconds))
    try:
        yield
    finally:
        signal.alarm(0)
        for number, handler in before.items():
            signal.signal(number, handler)
