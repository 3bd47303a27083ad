"""Simulated time: it jumps, it never hangs, and a suspend is what a suspend is."""

import asyncio
import time

import pytest

from bench.sim.clock import SimClock
from bench.sim.loop import StuckError, run


def test_a_year_passes_at_once_and_to_the_second():
    async def year() -> list[float]:
        clock = SimClock()
        moments = []
        for days in (1, 30, 334):
            await asyncio.sleep(days * 86400)
            moments.append(clock.now())
        return moments

    begun = time.monotonic()
    assert run(year()) == pytest.approx([86400, 31 * 86400, 365 * 86400])
    assert time.monotonic() - begun < 5


def test_timers_fire_in_their_order_at_their_moment():
    async def main() -> list[tuple[str, float]]:
        clock, seen = SimClock(), []

        async def one(name: str, after: float) -> None:
            await asyncio.sleep(after)
            seen.append((name, clock.now()))

        await asyncio.gather(one("last", 30), one("first", 10), one("second", 20))
        return seen

    assert run(main()) == [("first", 10.0), ("second", 20.0), ("last", 30.0)]


def test_no_timer_fires_in_a_suspend_and_all_clocks_but_the_timers_go_on():
    async def main() -> None:
        clock, loop = SimClock(), asyncio.get_running_loop()
        alarm = asyncio.create_task(asyncio.sleep(60))
        wall = clock.wall()
        clock.suspend(9 * 3600)
        await asyncio.sleep(59)
        assert not alarm.done()
        await asyncio.sleep(2)
        assert alarm.done()
        assert clock.now() == 9 * 3600 + 61
        assert (clock.wall() - wall).total_seconds() == 9 * 3600 + 61
        assert clock.suspended() == 9 * 3600
        assert loop.time() == 61

    run(main())


def test_a_step_of_the_wall_clock_moves_no_other():
    async def main() -> None:
        clock = SimClock()
        clock.step(-300)
        assert (clock.true() - clock.wall()).total_seconds() == 300
        assert clock.now() == 0

    run(main())


def test_a_wait_ends_with_the_change_or_at_its_moment():
    async def main() -> None:
        clock, loop = SimClock(), asyncio.get_running_loop()
        change: asyncio.Future[None] = loop.create_future()
        await clock.wait(change, 10)
        assert clock.now() == 10
        loop.call_later(5, change.set_result, None)
        await clock.wait(change, float("inf"))
        assert clock.now() == 15

    run(main())


def test_threads_run_in_place_and_their_errors_come_back():
    async def main() -> None:
        assert await asyncio.to_thread(lambda: "read") == "read"
        with pytest.raises(ZeroDivisionError):
            await asyncio.to_thread(lambda: 1 // 0)

    run(main())


def test_an_endless_wait_is_an_error():
    async def main() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(StuckError, match="for ever"):
        run(main())


def test_a_busy_loop_is_an_error():
    async def main() -> None:
        loop = asyncio.get_running_loop()

        def again() -> None:
            loop.call_soon(again)

        again()
        await loop.create_future()

    with pytest.raises(StuckError, match="busy"):
        run(main())
