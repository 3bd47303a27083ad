"""The garbage collector while the daemon loads.

- What modules make stays. To go through all of it again and again takes a tenth of the start, so only what was made just
  now is looked at: classes that `dataclass` replaced, for one, are garbage then.
- Once all is loaded it is taken out of every later collection, each of which kept everybody waiting for 17 ms.
- Only modules and settings are: what belongs to an identity, its keys above all, must go when the identity does.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_YOUNG = 5000  # objects between two looks
_NEVER = 1000  # looks at the young for each look at older ones: more than a start has


@contextmanager
def loading() -> Iterator[None]:
    """What is made meanwhile stays for good."""
    usual = gc.get_threshold()
    gc.set_threshold(_YOUNG, _NEVER, _NEVER)
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.freeze()
