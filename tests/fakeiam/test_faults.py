"""Each fault as a client over a socket meets it."""

import asyncio
import json
from datetime import datetime
from email.utils import parsedate_to_datetime

import aiohttp
import pytest

from tests.fakeiam.client import Client
from tests.fakeiam.clock import Clock


async def test_throttling_in_its_three_forms(client: Client, clock: Clock):
    """Retry-After in seconds, as a date, or not at all; no token is issued."""
    for text in ("429:retry-after=3,times=1", "429:retry-after=date+30,times=1", "429:times=1"):
        client.iam.faults.add(text)
    first, second, third = [await client.issue() for _ in range(3)]
    assert first.headers["Retry-After"] == "3"
    assert (parsedate_to_datetime(second.headers["Retry-After"]) - clock()).total_seconds() == pytest.approx(
        29.75
    )
    assert "Retry-After" not in third.headers
    assert first.tree["error"]["code"] == 429
    assert (client.iam.counters.issue_requests, client.iam.counters.issued) == (3, 0)
    assert (await client.issue()).status == 201


@pytest.mark.parametrize(
    ("body", "start"), [("json", b'{"error"'), ("html", b"<!doctype html>"), ("empty", b"")]
)
async def test_a_status_with_each_body(client: Client, body: str, start: bytes):
    """Gateways answer HTML or nothing where Keystone answers JSON."""
    client.iam.faults.add(f"502:body={body}")
    reply = await client.issue()
    assert reply.status == 502
    assert reply.body.startswith(start)
    assert bool(reply.body) == bool(start)


async def test_a_good_answer_under_another_status(client: Client):
    """200 instead of 201 carries the token all the same."""
    client.iam.faults.add("200:on=issue")
    reply = await client.issue()
    assert (reply.status, "x-subject-token" in reply.headers) == (200, True)


async def test_latency_comes_before_the_answer(client: Client, clock: Clock):
    """Times in the token are those after the wait."""
    client.iam.faults.add("latency=10")
    assert (await client.issue()).tree["token"]["issued_at"] == "2030-01-02T03:04:15.000000Z"
    assert clock().second == 15


async def test_a_reset_connection(client: Client):
    """The client sees a reset, the counters a request without an answer."""
    client.iam.faults.add("reset:times=1")
    with pytest.raises(aiohttp.ClientError):
        await client.issue()
    assert client.iam.counters.as_tree() == {"issue": {"arrived": 1, "none": 1}}


async def test_a_hanging_request_goes_on_when_the_fault_is_removed(client: Client):
    """And only then."""
    arrived = asyncio.Event()

    async def sleep(_seconds: float) -> None:
        arrived.set()

    client.iam._sleep = sleep
    client.iam.faults.add("latency=1:on=issue")
    number = client.iam.faults.add("hang:on=issue")
    asking = asyncio.create_task(client.issue())
    await arrived.wait()
    assert (await client.validate("garbage")).status == 401
    assert not asking.done()
    client.iam.faults.remove(number)
    assert (await asking).status == 201


async def test_half_an_answer(client: Client):
    """The length is that of the whole."""
    client.iam.faults.add("half")
    with pytest.raises(aiohttp.ClientPayloadError):
        await client.issue()


async def test_wrong_json(client: Client):
    """The last brace is missing, the length is right."""
    client.iam.faults.add("wrong-json")
    with pytest.raises(json.JSONDecodeError):
        await client.issue()


async def test_a_body_that_is_no_object(client: Client):
    """Valid JSON, wrong at the top."""
    client.iam.faults.add("not-object")
    assert isinstance((await client.issue()).tree, list)


async def test_a_missing_token(client: Client):
    """201 without the header."""
    client.iam.faults.add("no-token")
    reply = await client.issue()
    assert (reply.status, "x-subject-token" in reply.headers) == (201, False)


async def test_troubled_expiries(client: Client):
    """Missing, unreadable, or before the issue."""
    for text in ("no-expiry:times=1", "bad-expiry:times=1", "expiry-before-issue:times=1"):
        client.iam.faults.add(text)
        token = (await client.issue()).tree["token"]
        if text.startswith("no"):
            assert "expires_at" not in token
        elif text.startswith("bad"):
            with pytest.raises(ValueError, match="isoformat"):
                datetime.fromisoformat(token["expires_at"])
        else:
            assert token["expires_at"] < token["issued_at"]


async def test_all_bends_at_once(client: Client):
    """Faults may be combined without the emulator failing."""
    for text in (
        "no-expiry",
        "no-expiry",
        "not-object",
        "wrong-json",
        "bad-expiry",
        "no-token",
        "skew=5",
        "202",
    ):
        client.iam.faults.add(text)
    with pytest.raises(json.JSONDecodeError):
        await client.issue()
    assert client.iam.counters.ended.keys() == {("issue", 202)}


async def test_a_redirect_leads_back_by_default(client: Client):
    """A client that follows shows in the counters."""
    client.iam.faults.add("redirect:times=1")
    reply = await client.issue()
    assert (reply.status, reply.headers["Location"]) == (302, "/identity/v3/auth/tokens")
    client.iam.faults.add("redirect:to=http://127.0.0.1:1/,status=307")
    reply = await client.issue()
    assert (reply.status, reply.headers["Location"]) == (307, "http://127.0.0.1:1/")


async def test_an_oversized_body(client: Client):
    """Over 4 MiB of good JSON, without a length to warn of it."""
    client.iam.faults.add("oversized")
    reply = await client.issue()
    assert len(reply.body) > 4 * 1024 * 1024
    assert "Content-Length" not in reply.headers
    assert reply.tree["token"]


@pytest.mark.parametrize(
    ("only", "date", "issued"), [("both", "03:05:05", "03:05:05"), ("date", "03:05:05", "03:04:05"), ("times", "03:04:05", "03:05:05")]
)  # fmt: skip
async def test_a_skewed_clock(client: Client, only: str, date: str, issued: str):
    """In the Date header, in the token's times, or in both; the token itself is good."""
    client.iam.faults.add(f"skew=60:only={only}")
    reply = await client.issue()
    assert date in reply.headers["Date"]
    assert issued in reply.tree["token"]["issued_at"]
    assert (await client.validate(reply.headers["x-subject-token"])).status == 200


async def test_a_fault_of_one_key(client: Client):
    """By the claim when issuing, by the token when validating."""
    other = client.iam.realm.add_key(client.iam.user.id)
    token, others = await client.token(), await client.token(other)
    client.iam.faults.add(f"503:key={client.iam.key.id}")
    assert [(await client.issue()).status, (await client.issue(other)).status] == [503, 201]
    assert [(await client.validate(token)).status, (await client.validate(others)).status] == [503, 200]
