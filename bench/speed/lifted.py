"""`broker` with an ample budget at IAM, which also writes down how long each of its ticks takes.

For what needs hundreds of tokens within seconds: IAM's budget of one request a second for all identities would make of
that a quarter of an hour. Nothing that serves is another: the budget is a number, and the ticks are the daemon's own.
"""

import os
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from bench.speed import ticks
from broker import app
from broker.core import budget
from broker.keeper.ticker import ticking


def timed_ticking(tick: Callable[[], None]) -> AbstractAsyncContextManager[None]:
    """The daemon's ticks, with a line in the file for each."""
    file = os.open(os.environ[ticks.VARIABLE], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def timed() -> None:
        wall, cpu = time.perf_counter_ns(), time.thread_time_ns()
        tick()
        line = ticks.line(time.perf_counter_ns() - wall, time.thread_time_ns() - cpu)
        os.write(file, line.encode())

    return ticking(timed)


def main() -> None:
    """As `broker`."""
    from broker.__main__ import main as broker  # noqa: PLC0415

    budget.TOTAL_EVERY = 0.001
    vars(app)["ticking"] = timed_ticking
    broker()


if __name__ == "__main__":
    main()
