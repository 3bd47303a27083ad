"""How much is tried: some hundred examples in `make test`, whole minutes in `make fuzz`.

`KAKAOCLOUD_BROKER_FUZZ_MINUTES` holds the minutes of all that is tried together; each test takes its share of them.
"""

import os
import sys
import time
from collections.abc import Callable

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

MINUTES = float(os.environ.get("KAKAOCLOUD_BROKER_FUZZ_MINUTES") or 0)
# Of one round in `make fuzz`: what was tried is remembered within it, and a round that has begun is ended.
_ROUND = 80
_few = settings(suppress_health_check=list(HealthCheck))


def tried(
    what: str, one: Callable[..., None], examples: int, share: float, **strategies: st.SearchStrategy[object]
) -> None:
    """Try so many examples, or as many as go into this share of the minutes; the first that fails ends it."""
    if not MINUTES:
        settings(_few, max_examples=examples)(given(**strategies)(one))()
        return
    # No history of examples is kept: the corpus is what is kept.
    long = settings(_few, max_examples=_ROUND, database=None, phases=[Phase.generate, Phase.shrink])
    began, count = time.monotonic(), 0

    def counted(**drawn: object) -> None:
        nonlocal count
        count += 1
        one(**drawn)

    while (spent := time.monotonic() - began) < share * MINUTES * 60:
        _tell(what, count, spent)
        seed(time.time_ns())(long(given(**strategies)(counted)))()
    _tell(what, count, spent, end="\n")


def _tell(what: str, count: int, spent: float, end: str = "") -> None:
    print(f"\r{what}: {count} examples in {spent:.0f} s ", end=end, file=sys.stderr, flush=True)  # noqa: T201
