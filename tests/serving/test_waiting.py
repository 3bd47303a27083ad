"""Waiting for a token: how long, with how many, and what is told when none comes."""

import asyncio
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.core.errors import Fault
from tests.serving.house import Answer, House, house, until

CALLERS = 500


@pytest.fixture
def many_files() -> Iterator[None]:
    """Room for both ends of every connection."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def waiting(broker: House, request: "asyncio.Task[Answer]", callers: int = 1) -> None:
    await until(lambda: broker.clock.waiting == callers or request.done())
    assert not request.done()


async def test_many_callers_of_an_empty_lease_cost_one_request_to_iam(tmp_path: Path, many_files: None):
    """L3, through real sockets."""
    del many_files
    async with house(tmp_path, "default") as broker:
        requests = [broker.ask("/v1/token") for _ in range(CALLERS)]
        await waiting(broker, requests[0], CALLERS)
        assert broker.issuers["default"].asked == 1
        broker.issuers["default"].grant("the one")
        answers = await asyncio.gather(*requests)
        assert {(answer.status, answer.tree["token"]) for answer in answers} == {(200, "the one")}
        assert broker.issuers["default"].asked == 1


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault.UNAVAILABLE, "iam_unavailable"),
        (Fault.PROTOCOL, "iam_unavailable"),
        (Fault.THROTTLED, "iam_throttled"),
        (Fault.REJECTED, "key_rejected"),
    ],
)
async def test_without_a_token_the_reason_and_the_time_to_come_back_are_told(
    tmp_path: Path, fault: Fault, code: str
):
    async with house(tmp_path, "default") as broker:
        request = broker.ask("/v1/token")
        await waiting(broker, request)
        broker.issuers["default"].fail(fault, retry_after=77.0)
        answer = await request
        assert (answer.status, answer.tree["code"], answer.tree["detail"]) == (503, code, f"it is {fault}")
        assert 77 <= answer.tree["retry_after"] <= 80
        assert answer.headers["Retry-After"] == str(answer.tree["retry_after"])
        assert answer.headers["Content-Type"] == "application/problem+json"


async def test_an_iam_that_hangs_is_not_ready_after_the_default_second(tmp_path: Path):
    async with house(tmp_path, "default") as broker:
        request = broker.ask("/v1/token")
        await waiting(broker, request)
        await broker.clock.advance(0.99)
        await waiting(broker, request)
        await broker.clock.advance(0.02)
        answer = await request
        assert (answer.status, answer.tree["code"]) == (503, "not_ready")
        assert answer.headers["Retry-After"] == str(answer.tree["retry_after"]) == "1"
        assert "Preference-Applied" not in answer.headers


@pytest.mark.parametrize(("asked", "applied"), [(5, 5), (30, 30), (31, 30), (999999999, 30)])
async def test_a_caller_waits_as_long_as_it_prefers_and_no_longer_than_thirty_seconds(
    tmp_path: Path, asked: int, applied: int
):
    async with house(tmp_path, "default") as broker:
        request = broker.ask("/v1/token", prefer=f"wait={asked}")
        await waiting(broker, request)
        await broker.clock.advance(applied - 0.01)
        await waiting(broker, request)
        await broker.clock.advance(0.02)
        assert (await request).status == 503


async def test_what_was_applied_of_a_preference_is_told(tmp_path: Path):
    async with house(tmp_path, "default") as broker:
        await broker.issued()
        for asked, applied in (("wait=7", "wait=7"), ("wait=600", "wait=30"), ("wait=0", "wait=0")):
            answer = await broker.get("/v1/token", headers={"Prefer": asked})
            assert answer.headers["Preference-Applied"] == applied
        for asked in ("wait=soon", "respond-async"):
            assert (
                "Preference-Applied" not in (await broker.get("/v1/token", headers={"Prefer": asked})).headers
            )


async def test_who_will_not_wait_is_told_at_once(tmp_path: Path):
    async with house(tmp_path, "default") as broker:
        answer = await broker.get("/v1/token", headers={"Prefer": "wait=0"})
        assert (answer.status, answer.tree["code"]) == (503, "not_ready")


async def test_a_token_that_comes_within_the_wait_is_served(tmp_path: Path):
    """A first fault is not the end: the next try lies within the time that this caller has."""
    async with house(tmp_path, "default") as broker:
        request = broker.ask("/v1/token", prefer="wait=20")
        await waiting(broker, request)
        broker.issuers["default"].fail()
        await until(lambda: broker.keyring["default"].lease.trouble)
        await waiting(broker, request)
        await broker.clock.advance(2)
        await until(lambda: broker.issuers["default"].calls)
        broker.issuers["default"].grant("second try")
        assert (await request).tree["token"] == "second try"


async def test_a_caller_that_hangs_up_hurts_nobody(tmp_path: Path):
    """L3: the flight is the keeper's; whoever waits beside the one that left is served."""
    async with house(tmp_path, "default") as broker:
        head = b"GET /v1/token HTTP/1.1\r\nHost: x\r\nPrefer: wait=30\r\n\r\n"
        _, writer = await asyncio.open_unix_connection(broker.path)
        writer.write(head)
        await until(lambda: broker.clock.waiting == 1)
        patient = broker.ask("/v1/token", prefer="wait=30")
        await waiting(broker, patient, 2)
        writer.transport.abort()
        _, half = await asyncio.open_unix_connection(broker.path)
        half.write(head[:20])
        half.transport.abort()
        assert (await broker.get("/livez")).status == 200
        broker.issuers["default"].grant("for the patient")
        assert (await patient).tree["token"] == "for the patient"
        assert broker.issuers["default"].asked == 1
        assert await broker.drain.finish(5)
