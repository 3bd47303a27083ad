"""Work that may block for good, each piece in a thread of its own.

A pool would do for disks that answer. One that hangs keeps its thread, so that a pool of any size is used up by it, and
then other files wait for it too. Each file has one piece of work at a time, so that there are no more threads than files.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def in_thread(work: Callable[[], T], name: str) -> asyncio.Future[T]:
    """What the work returns or raises. Cancelled, nobody hears of it; it goes on all the same."""
    done: Future[T] = Future()
    done.set_running_or_notify_cancel()  # else a cancelled one could not take its result

    def run() -> None:
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001  (whoever waits has it)
            done.set_exception(error)
        else:
            done.set_result(result)

    # A daemon: one that hangs does not keep the process from ending.
    threading.Thread(target=run, name=name, daemon=True).start()
    return asyncio.wrap_future(done)
