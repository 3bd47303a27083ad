"""Nothing on the disk overlaps or lands out of order, and nobody waits long for it."""

import asyncio
import gc
import threading

import pytest

from broker.core.errors import StoreError
from broker.store.lane import DEADLINE, Lane
from tests.fakes.clock import FakeClock, settle


class Disk:
    """A disk that hangs until it is let go."""

    def __init__(self) -> None:
        self.free = threading.Event()
        self.begun = threading.Event()
        self.done: list[str] = []

    def work(self, name: str) -> str:
        self.begun.set()
        assert self.free.wait(30)
        self.done.append(name)
        return name

    async def has_begun(self) -> None:
        await asyncio.to_thread(self.begun.wait, 30)


async def too_late(clock: FakeClock, *tasks: asyncio.Task[str]) -> None:
    await settle()
    await clock.advance(DEADLINE)
    for task in tasks:
        with pytest.raises(StoreError) as refused:
            await task
        assert str(refused.value) == "f: the disk did not answer within 2 s; check the disk and its mount"


async def test_what_the_work_returns_or_raises_comes_back():
    lane = Lane(FakeClock(), "f")
    assert await lane.run(lambda: 1) == 1
    with pytest.raises(ZeroDivisionError):
        await lane.run(lambda: 1 // 0)
    assert await lane.run(threading.current_thread) is not threading.current_thread()


async def test_a_disk_that_hangs_is_not_waited_for_and_what_waited_lands_in_order():
    clock, disk = FakeClock(), Disk()
    lane = Lane(clock, "f")
    first = asyncio.create_task(lane.run(lambda: disk.work("1")))
    second = asyncio.create_task(lane.run(lambda: disk.work("2")))
    await disk.has_begun()
    await too_late(clock, first, second)
    third = asyncio.create_task(lane.run(lambda: disk.work("3")))
    await settle()
    assert disk.done == []
    disk.free.set()
    assert await third == "3"
    assert disk.done == ["1", "2", "3"]


async def test_who_is_cancelled_stops_nothing():
    clock, disk = FakeClock(), Disk()
    lane = Lane(clock, "f")
    first = asyncio.create_task(lane.run(lambda: disk.work("1")))
    await disk.has_begun()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    second = asyncio.create_task(lane.run(lambda: disk.work("2")))
    await settle()
    disk.free.set()
    assert await second == "2"
    assert disk.done == ["1", "2"]


async def test_only_so_many_stand_in_the_lane():
    clock, disk = FakeClock(), Disk()
    lane = Lane(clock, "f")
    tasks = [asyncio.create_task(lane.run(lambda: disk.work("x"))) for _ in range(8)]
    await disk.has_begun()
    with pytest.raises(StoreError):
        await lane.run(lambda: disk.work("one too many"))
    disk.free.set()
    await asyncio.gather(*tasks)
    assert disk.done == ["x"] * 8
    assert await lane.run(lambda: disk.work("y")) == "y"


async def test_an_error_that_nobody_waits_for_is_no_noise():
    """An exception that is never fetched would be reported when its task is collected."""
    clock, disk = FakeClock(), Disk()
    lane = Lane(clock, "f")
    noise: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: noise.append(context))
    task = asyncio.create_task(lane.run(lambda: disk.work("1") + str(1 // 0)))
    await disk.has_begun()
    await too_late(clock, task)
    del task  # its error holds on to what it waited for
    disk.free.set()
    assert await lane.run(lambda: 2) == 2
    gc.collect()
    assert noise == []
