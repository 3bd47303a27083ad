"""What holds for every adapter: where a token goes, and what becomes of a request that a service refuses.

A real broker answers here, in this process; IAM and the service are the test's.
"""

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from broker.client import Insecure, Unreachable
from tests.client.adapters import CALLERS, Caller, by_aiohttp, by_requests, pieces
from tests.client.answering import DEAD, FRESH, answering, kill, reports, url
from tests.client.scripted import answered, scripted
from tests.client.service import service


@pytest.fixture(params=CALLERS)
def caller(request: pytest.FixtureRequest) -> Caller:
    return CALLERS[request.param]


async def test_the_token_of_the_moment_goes_with_each_request(tmp_path: Path, caller: Caller):
    async with answering(tmp_path) as broker, service(DEAD, FRESH) as api, caller(url=url(broker)) as call:
        assert await call("GET", f"{api.url}/a") == 200
        kill(broker)
        await broker.reject(DEAD)
        assert await call("GET", f"{api.url}/b") == 200
        assert api.tokens == [DEAD, FRESH]


@pytest.mark.parametrize("body", [None, b"a body"], ids=["none", "bytes"])
async def test_a_refused_token_is_reported_and_the_request_sent_once_more(
    tmp_path: Path, caller: Caller, body: bytes | None
):
    """Rule: the same request, with the same body."""
    async with answering(tmp_path) as broker, service(FRESH) as api, caller(url=url(broker)) as call:
        kill(broker)
        assert await call("POST", f"{api.url}/a", body) == 200
        came = [(came.method, came.path, came.token, came.body) for came in api.seen]
        assert came == [("POST", "/a", token, body or b"") for token in (DEAD, FRESH)]
        assert reports(broker) == 1


@pytest.mark.parametrize("caller", [by_requests, by_aiohttp])
async def test_a_file_is_sent_again_from_where_it_began(tmp_path: Path, caller: Caller):
    async with answering(tmp_path) as broker, service(FRESH) as api, caller(url=url(broker)) as call:
        kill(broker)
        with (tmp_path / "file").open("w+b") as file:
            file.write(b"not this: a file")
            file.seek(10)
            assert await call("PUT", f"{api.url}/a", file) == 200
        assert [(came.token, came.body) for came in api.seen] == [(DEAD, b"a file"), (FRESH, b"a file")]


async def test_the_second_refusal_is_passed_on(tmp_path: Path, caller: Caller):
    async with answering(tmp_path) as broker, service() as api, caller(url=url(broker)) as call:
        kill(broker)
        assert await call("GET", f"{api.url}/a") == 401
        assert (api.tokens, reports(broker)) == ([DEAD, FRESH], 1)


async def test_a_token_that_lives_is_not_sent_again_until_a_second_report_is_believed(
    tmp_path: Path, caller: Caller
):
    """Rule of docs/use.md for still_valid: the refusal is passed on; if it goes on, the token is replaced."""
    async with answering(tmp_path) as broker, service(FRESH) as api, caller(url=url(broker)) as call:
        assert await call("GET", f"{api.url}/a") == 401
        assert (api.tokens, reports(broker)) == ([DEAD], 1)
        assert await call("GET", f"{api.url}/a") == 200
        assert (api.tokens, reports(broker)) == ([DEAD, DEAD, FRESH], 2)


async def test_a_body_that_is_gone_is_not_sent_again_but_the_token_is_reported(
    tmp_path: Path, caller: Caller
):
    async with answering(tmp_path) as broker, service(FRESH) as api, caller(url=url(broker)) as call:
        kill(broker)
        assert await call("POST", f"{api.url}/a", pieces()) == 401
        assert await call("POST", f"{api.url}/a", pieces()) == 200
        assert (api.tokens, reports(broker)) == ([DEAD, FRESH], 1)
        assert {came.body for came in api.seen} == {b"piece by piece"}


async def test_any_other_refusal_is_none_of_the_tokens(tmp_path: Path, caller: Caller):
    async with answering(tmp_path) as broker, service() as api, caller(url=url(broker)) as call:
        api.refusal = 403
        assert await call("GET", f"{api.url}/a") == 403
        assert (api.tokens, reports(broker)) == ([DEAD], 0)


@pytest.mark.parametrize("lives", [False, True], ids=["dead", "alive"])
async def test_a_hundred_refusals_at_once_cost_one_report(tmp_path: Path, caller: Caller, lives: bool):
    """Rule: whatever the verdict, those that were sent before it share it."""
    async with answering(tmp_path) as broker, service(FRESH) as api, caller(url=url(broker)) as call:
        if not lives:
            kill(broker)
        api.together = 100
        with ThreadPoolExecutor(api.together) as threads:
            asyncio.get_running_loop().set_default_executor(threads)
            statuses = await asyncio.gather(*(call("GET", f"{api.url}/a") for _ in range(api.together)))
        assert set(statuses) == ({401} if lives else {200})
        assert reports(broker) == 1
        assert api.tokens == [DEAD] * 100 + [FRESH] * (0 if lives else 100)


async def test_a_token_stays_within_the_origin(tmp_path: Path, caller: Caller):
    """Rule: a redirect to another origin goes without, and is not reported when it is refused there."""
    async with answering(tmp_path) as broker, service(DEAD) as api, service(DEAD) as other:
        async with caller(url=url(broker)) as call:
            assert await call("GET", f"{api.url}/to/307?/a") == 200
            assert (api.tokens[0], api.tokens[-1]) == (DEAD, DEAD)
            assert await call("POST", f"{api.url}/to/307?/a", b"body") == 200
            assert (api.seen[-1].token, api.seen[-1].body) == (DEAD, b"body")
            for there in (other.url, other.url.replace("127.0.0.1", "localhost")):
                assert await call("GET", f"{api.url}/to/307?{there}/b") == 401
            assert await call("POST", f"{api.url}/to/308?{other.url}/b", b"body") == 401
            assert await call("GET", f"{api.url}/to/302?//{other.url.removeprefix('http://')}/b") == 401
            assert other.tokens == [None] * 4
            assert await call("GET", f"{other.url}/b") == 200  # asked for itself, it gets one
        assert reports(broker) == 0


async def test_a_redirect_away_and_back_stays_without(tmp_path: Path, caller: Caller):
    """Rule: or the other origin would choose what is done with the token."""
    async with answering(tmp_path) as broker, service(DEAD) as api, service(DEAD) as other:
        async with caller(url=url(broker)) as call:
            assert await call("GET", f"{api.url}/to/307?{other.url}/to/307?{api.url}/b") == 401
        assert (api.tokens, other.tokens) == ([DEAD, None], [None])
        assert reports(broker) == 0


async def test_a_redirect_after_the_second_try_takes_the_new_token_along(tmp_path: Path, caller: Caller):
    async with answering(tmp_path) as broker, service(FRESH) as api, service(FRESH) as other:
        async with caller(url=url(broker)) as call:
            kill(broker)
            assert await call("GET", f"{api.url}/a") == 200
            assert await call("GET", f"{api.url}/to/307?/a") == 200
            assert await call("GET", f"{api.url}/to/307?{other.url}/a") == 401
        assert other.tokens == [None]


async def test_a_token_does_not_cross_a_network_in_the_clear(tmp_path: Path, caller: Caller):
    async with answering(tmp_path) as broker, caller(url=url(broker)) as call:
        with pytest.raises(Insecure, match="use https"):
            await call("GET", "http://service.invalid/a")
        assert broker.books.tokens == []


async def test_without_a_broker_the_request_is_not_made(tmp_path: Path, caller: Caller):
    async with service() as api, caller(url=f"unix://{tmp_path}/none", timeout=0) as call:
        with pytest.raises(Unreachable, match="no broker is running"):
            await call("GET", f"{api.url}/a")
        assert api.seen == []


async def test_where_no_report_can_be_made_the_refusal_is_passed_on(
    tmp_path: Path, caller: Caller, caplog: pytest.LogCaptureFixture
):
    """Rule: the user sees the service's 401, and the log says what the broker said."""
    async with answering(tmp_path) as broker:
        token = answered(200, (await broker.get("/v1/token")).tree)
    refused = answered(503, {"code": "not_ready", "detail": "later"})
    place = tmp_path / "another"
    with scripted(place, token, token, refused), caplog.at_level(logging.WARNING, "broker.client"):
        async with service() as api, caller(url=f"unix://{place}", timeout=0) as call:
            assert await call("GET", f"{api.url}/a") == 401
            assert api.tokens == [DEAD]
    assert "could not be replaced: no token: not_ready: later" in caplog.text
