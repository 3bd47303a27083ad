"""An event loop whose time is simulated: when nothing is ready, time jumps to the next timer.

- Nothing sleeps, no thread runs, no socket is watched: the same program runs the same way each time.
- What would wait for ever, or never let time pass, is an error and not a hang.
"""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

# So many turns of the loop without a moment passing are a busy loop. The most that is right is a fleet's start: a few
# turns for all its brokers together.
_BUSY = 100_000


class StuckError(RuntimeError):
    """Simulated time can pass no more: a defect of what is simulated."""


class _Leap(selectors.SelectSelector):
    """Where a loop would wait for the world, this one has time pass."""

    def __init__(self) -> None:
        super().__init__()
        self.time = 0.0
        self._idle = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise StuckError("everybody waits and no timer runs: this would wait for ever")
        self._idle = 0 if timeout > 0 else self._idle + 1
        if self._idle > _BUSY:
            raise StuckError(f"{_BUSY} turns of the loop at {self.time:.6f} s: a busy loop")
        self.time += max(0.0, timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """Seconds since the start of the simulation; as CLOCK_MONOTONIC, it stands still while the machine sleeps."""

    def __init__(self) -> None:
        self._leap = _Leap()
        super().__init__(self._leap)
        # A timer is due when it is so near. The usual nanosecond is less than a float can tell after a hundred days.
        self._clock_resolution = 1e-7

    def time(self) -> float:
        return self._leap.time

    def run_in_executor(self, executor: object, func: Callable[..., T], *args: object) -> asyncio.Future[T]:
        """Run it here and now: what is read in a thread comes back without time passing."""
        del executor
        done: asyncio.Future[T] = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:  # noqa: BLE001
            done.set_exception(error)
        return done


def run(main: Coroutine[Any, Any, T]) -> T:
    """What `asyncio.run` is to the real time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
