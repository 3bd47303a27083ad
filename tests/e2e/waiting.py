"""Waiting for something that another process does: looked at again and again, never longer than its deadline."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

STEP = 0.03  # seconds between two looks

T = TypeVar("T")


async def until(look: Callable[[], Awaitable[T | None]], deadline: float, what: str) -> T:
    """The first result of `look` that is true; AssertionError naming `what` after `deadline` seconds."""
    end = time.monotonic() + deadline
    while True:
        if found := await look():
            return found
        if time.monotonic() > end:
            raise AssertionError(f"not within {deadline:.0f} s: {what}")
        await asyncio.sleep(STEP)
