"""The garbage collector: kept small while the daemon loads, and out of everybody's way while it runs.

- What modules make stays. To go through all of it again and again takes a tenth of the start, so only what was made just
  now is looked at: classes that `dataclass` replaced, for one, are garbage then.
- Once all is loaded it is taken out of every later collection, each of which kept everybody waiting for 17 ms.
- Only modules and settings are: what belongs to an identity, its keys above all, must go when the identity does.
- The collector would go through all that is old just when much has come, as 2,000 clients at once, and keep them waiting
  for 80 ms. So the old is swept by appointment: when few are connected, or when it has not been for long.
"""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_YOUNG = 5000  # objects between two looks
_NEVER = 1000  # looks at the young for each look at older ones: more than a start has
_EVERY = 60.0  # seconds between two sweeps
_LATEST = 900.0  # seconds after which it is done, whoever is connected
FEW = 64  # connections: to go through what belongs to them takes 3 ms


@contextmanager
def loading() -> Iterator[None]:
    """What is made meanwhile stays for good."""
    usual = gc.get_threshold()
    gc.set_threshold(_YOUNG, _NEVER, _NEVER)
    try:
        yield
    finally:
        gc.set_threshold(*usual[:2], sys.maxsize >> 32)
        gc.freeze()


class Sweeping:
    """Sweeps the old. Belongs to one event loop."""

    def __init__(self, now: float) -> None:
        """Times are seconds on the broker's clock."""
        self._last = now

    def tick(self, now: float, connections: int) -> None:
        """Once a second; `connections` are open now."""
        since = now - self._last
        if since >= _LATEST or (since >= _EVERY and connections < FEW):
            self._last = now
            gc.collect()
