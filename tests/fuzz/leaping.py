"""An event loop on which waiting costs nothing: where no socket has news, it is at once the moment of the next timer.

So a deadline of ten seconds is waited for in two thousandths of one, with real sockets and the broker's real timers.
"""

import asyncio
import selectors
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass

# Real seconds in which the kernel has brought what was sent over loopback; before that no time may pass here.
PATIENCE = 0.002
# Where somebody has more to write than the kernel takes: it may wait for an acknowledgement that comes late.
PATIENCE_WITH_WRITERS = 0.5


class _Selector(selectors.DefaultSelector):
    """Waits for sockets only, and tells of the time that a wait would have taken."""

    leapt = 0.0  # seconds

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout <= 0:
            return super().select(timeout)
        writing = any(key.events & selectors.EVENT_WRITE for key in self.get_map().values())
        patience = min(timeout, PATIENCE_WITH_WRITERS if writing else PATIENCE)
        found = super().select(patience)
        if not found:
            self.leapt += timeout - patience
        return found


class LeapingLoop(asyncio.SelectorEventLoop):
    """Its time is the machine's and all that it has leapt over."""

    def __init__(self) -> None:
        self._leaps = _Selector()
        super().__init__(self._leaps)

    def time(self) -> float:
        return super().time() + self._leaps.leapt
