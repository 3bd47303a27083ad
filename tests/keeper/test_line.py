"""Who waits for news is woken in the order of arrival, a few in each turn of the loop, and never later than asked."""

import asyncio

from broker.keeper.line import AT_ONCE, Line
from tests.fakes.clock import FakeClock, settle


def waits(line: Line, until: float, woken: list[int], number: int) -> asyncio.Task[None]:
    async def one() -> None:
        await line.wait(until)
        woken.append(number)

    return asyncio.create_task(one())


async def test_many_are_woken_a_few_at_a_time_in_their_order():
    line, woken = Line(FakeClock()), list[int]()
    tasks = [waits(line, 2000.0, woken, number) for number in range(10 * AT_ONCE)]
    await settle()
    line.let_go()
    most = 0
    while len(woken) < len(tasks):
        before = len(woken)
        await asyncio.sleep(0)
        most = max(most, len(woken) - before)
    assert most <= AT_ONCE
    assert woken == list(range(10 * AT_ONCE))
    assert len(line) == 0


async def test_who_comes_while_others_are_let_go_waits_for_the_next_time():
    line, woken = Line(FakeClock()), list[int]()
    tasks = [waits(line, 2000.0, woken, number) for number in range(3 * AT_ONCE)]
    await settle()
    line.let_go()
    late = waits(line, 2000.0, woken, -1)
    await asyncio.gather(*tasks)
    await settle()
    assert not late.done()
    line.let_go()
    await late


async def test_who_leaves_or_has_waited_long_enough_leaves_no_trace():
    clock = FakeClock(1000.0)
    line, woken = Line(clock), list[int]()
    leaving, patient = waits(line, 1010.0, woken, 1), waits(line, 1005.0, woken, 2)
    await settle()
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    await clock.advance(5)
    await patient
    assert (woken, len(line)) == ([2], 0)
    line.let_go()
    await settle()
    assert woken == [2]


async def test_who_leaves_after_being_let_go_holds_nobody_up():
    line, woken = Line(FakeClock()), list[int]()
    tasks = [waits(line, 2000.0, woken, number) for number in range(3 * AT_ONCE)]
    await settle()
    line.let_go()
    tasks[-1].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await settle()
    assert (len(woken), len(line)) == (3 * AT_ONCE - 1, 0)
