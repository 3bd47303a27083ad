"""L1 holds to the last moment on connections that were just answered, by the lane and without it.

A token is never sent at or after its deadline, nor once it was found dead, nor when another one has taken its place; and
what an answer says of time is right to the second.
"""

import asyncio
import math
from email.utils import format_datetime
from pathlib import Path

import pytest

from broker.core.errors import Fault, IamError
from broker.keeper.setting import Validation
from tests.fakes.clock import settle
from tests.serving.house import WAYS, House, house, until
from tests.serving.kept import ASK, NAMED, Kept, kept, token_of
from tests.serving.test_rejections import DEAD, watched

OLD, NEW = "token-of-default", "the next one"
TEXT = b"GET /v1/token?format=text HTTP/1.1\r\nHost: x\r\n\r\n"


def moment(broker: House, at: float) -> None:
    """It is this moment, to the last bit; nobody is woken."""
    broker.clock.at = at


async def landed(broker: House, token: str = NEW) -> None:
    """IAM answers what it was asked."""
    before = broker.keyring["default"].lease.held
    await until(lambda: broker.issuers["default"].calls)
    broker.issuers["default"].grant(token)
    await until(lambda: broker.keyring["default"].lease.held is not before)


@pytest.mark.parametrize("request_", [ASK, NAMED, TEXT], ids=["default", "named", "text"])
async def test_one_bit_before_its_deadline_it_is_sent_and_at_it_never(tmp_path: Path, request_: bytes):
    async with house(tmp_path, "default") as broker:
        await broker.issued(life=100.5)
        deadline = broker.keyring["default"].lease.held.span.deadline  # type: ignore[union-attr]
        async with kept(broker, request_, request_) as one, kept(broker, request_) as another:
            moment(broker, math.nextafter(deadline, 0))
            for each in one, another, one:
                assert OLD.encode() in (await each.ask(request_)).body
            moment(broker, deadline)
            late = [await each.silent(broker, request_) for each in (one, another)]
            broker.issuers["default"].grant(NEW)
            for answer in late:
                body = (await answer).body
                assert NEW.encode() in body
                assert OLD.encode() not in body


@pytest.mark.parametrize("after", [0.0, 0.001, 1.0, 1e6])
async def test_who_asks_after_its_deadline_never_gets_it_even_if_nobody_has_looked_meanwhile(
    tmp_path: Path, after: float
):
    """As after a suspend: the clock has leapt, and the tick has not come yet."""
    async with house(tmp_path, "default") as broker:
        await broker.issued(life=10)
        async with kept(broker) as one:
            moment(broker, broker.keyring["default"].lease.held.span.deadline + after)  # type: ignore[union-attr]
            late = await one.silent(broker)
            broker.issuers["default"].grant(NEW)
            assert token_of(await late) == NEW


async def test_what_is_said_of_time_is_right_to_the_second(tmp_path: Path):
    async with house(tmp_path, "default") as broker:
        await broker.issued(life=30.37)
        span = broker.keyring["default"].lease.held.span  # type: ignore[union-attr]
        async with kept(broker) as one:
            while (now := broker.clock.now()) < span.due_at:
                answer = await one.ask()
                assert answer.tree["expires_in"] == int(span.deadline - now)
                if WAYS.lane:  # the library writes the real time, and that is not the test's
                    date = format_datetime(broker.clock.wall().replace(microsecond=0), usegmt=True)
                    assert answer.headers["Date"] == date
                moment(broker, now + 0.0625)


async def test_each_second_begins_where_it_does_for_the_full_path(tmp_path: Path):
    """At the turn of a second of its life itself, and one bit before."""
    async with house(tmp_path, "default") as broker:
        await broker.issued(life=64.0)
        deadline = broker.keyring["default"].lease.held.span.deadline  # type: ignore[union-attr]
        async with kept(broker) as one:
            for left in range(60, 40, -1):
                moment(broker, math.nextafter(deadline - left, 0))
                assert (await one.ask()).tree["expires_in"] == left
                moment(broker, deadline - left)
                assert (await one.ask()).tree["expires_in"] == left
                moment(broker, deadline - left + 0.001)
                assert (await one.ask()).tree["expires_in"] == left - 1


async def test_the_answer_says_stale_from_the_very_moment_that_it_is(tmp_path: Path):
    """The trouble is known before; what turns is the phase alone, of which no lease tells anybody."""
    async with house(tmp_path, "default") as broker:
        await broker.issued(life=1000)
        span = broker.keyring["default"].lease.held.span  # type: ignore[union-attr]
        report = asyncio.create_task(broker.reject(OLD))  # nothing validates it, so another one is wanted ...
        await until(lambda: broker.issuers["default"].calls)
        broker.issuers["default"].fail()  # ... and not to be had
        await until(lambda: broker.keyring["default"].lease.trouble)
        async with kept(broker) as one:
            for turn in (span.due_at, span.critical_at):
                moment(broker, math.nextafter(turn, 0))
                assert (await one.ask()).tree["stale"] is (turn == span.critical_at)
                moment(broker, turn)
                assert (await one.ask()).tree["stale"] is True
            assert token_of(await one.ask()) == OLD
        report.cancel()


async def test_a_refresh_that_fails_makes_it_stale_and_one_that_lands_replaces_it(tmp_path: Path):
    async with house(tmp_path, "default") as broker:
        await broker.issued(life=1000)
        due = broker.keyring["default"].lease.held.span.due_at  # type: ignore[union-attr]
        async with kept(broker) as one:
            moment(broker, due)
            assert (await one.ask()).tree["stale"] is False
            await until(lambda: broker.issuers["default"].calls)
            broker.issuers["default"].fail()
            await until(lambda: broker.keyring["default"].lease.trouble)
            assert (await one.ask()).tree["stale"] is True
            await broker.clock.advance(300)
            assert (await one.ask()).tree["stale"] is True
            broker.keyring.observe()
            await landed(broker)
            answer = await one.ask()
            assert (token_of(answer), answer.tree["stale"]) == (NEW, False)


async def dead(broker: House, one: Kept) -> None:
    """Nobody is handed it any more; they get the next one."""
    assert broker.keyring["default"].lease.held is None
    late = await one.silent(broker)
    await landed(broker)
    assert token_of(await late) == NEW


async def test_once_a_report_was_found_right_it_is_sent_no_more(tmp_path: Path):
    """While IAM is asked it still may be; from the moment that IAM has refused it, never."""
    async with watched(tmp_path) as broker, kept(broker) as one:
        issuer = broker.issuers["default"]
        issuer.dead.add(DEAD)
        issuer.hold_checks = True
        report = asyncio.create_task(broker.reject(DEAD))
        await until(lambda: issuer.checks)
        assert token_of(await one.ask()) == DEAD
        issuer.hold_checks = False
        issuer.checks.pop(0)[1].set_exception(IamError(Fault.REJECTED, "it is dead"))
        while broker.keyring["default"].lease.held is not None:  # noqa: ASYNC110  (no later than at once)
            await asyncio.sleep(0)
        await dead(broker, one)
        assert (await report).tree["outcome"] == "replaced"


async def test_once_a_validation_of_ours_has_found_it_dead_it_is_sent_no_more(tmp_path: Path):
    async with watched(tmp_path) as broker, kept(broker) as one:
        broker.issuers["default"].dead.add(DEAD)
        await broker.clock.advance(Validation().every + 1)
        assert token_of(await one.ask()) == DEAD
        broker.keyring.observe()
        await until(lambda: broker.keyring["default"].lease.held is None)
        await dead(broker, one)


async def test_a_report_that_waits_for_another_token_brings_that_to_all(tmp_path: Path):
    """Every connection, also one whose answer was kept for it, has the new one with its next request."""
    async with house(tmp_path, "default") as broker:
        await broker.issued()
        async with kept(broker) as one, kept(broker, NAMED) as two:
            report = asyncio.create_task(broker.reject(OLD))
            await landed(broker)
            assert [token_of(await one.ask()), token_of(await two.ask(NAMED))] == [NEW, NEW]
            assert (await report).tree["outcome"] == "replaced"
            await settle()
