"""What is one adapter's own: forms of a redirect, headers that are not shown, a call that is cancelled, a fork."""

import asyncio
from pathlib import Path

import aiohttp
import httpx
import pytest
import requests

from broker.client import Away, Insecure, TokenClient
from broker.client.aiohttp import BrokerMiddleware, broker_middleware
from broker.client.destination import judge
from broker.client.httpx import BrokerAuth as HttpxAuth
from broker.client.httpx import _Carried
from broker.client.reporter import ThreadReporter
from broker.client.requests import BrokerAuth as RequestsAuth
from broker.client.requests import _within
from broker.core.errors import Fault, IamError
from tests.client.answering import DEAD, FRESH, answering, kill, reports, url
from tests.client.both import GOOD
from tests.client.scripted import scripted
from tests.client.service import service


@pytest.mark.parametrize(
    ("location", "within"),
    [
        ("/b", True),
        ("b?c", True),
        ("https://api.example/b", True),
        ("https://API.example:443/b", True),
        ("//api.example/b", True),
        ("https:///b", True),  # as requests reads it
        ("http://api.example/b", False),
        ("https://api.example:8443/b", False),
        ("https://api.example.evil.example/b", False),
        ("//evil.example/b", False),
        # Whatever these mean to who connects, they are not written as an origin is.
        ("https://api.example@evil.example/b", False),
        ("https://evil.example@api.example/b", False),
        ("https://evil.example\\@api.example/b", False),
        ("https://api.example:x/b", False),
        ("https://[api.example/b", False),
    ],
)
def test_a_redirect_of_requests_is_within_the_origin_only_if_it_plainly_is(location: str, within: bool):
    response = requests.Response()
    response.url, response.headers["location"] = "https://api.example/a", location
    assert _within(response) is within


@pytest.mark.parametrize(
    ("scheme", "host", "fine"),
    [
        ("https", "api.example", True),
        ("http", "127.0.0.1", True),
        ("http", "127.1.2.3", True),
        ("http", "[::1]", True),
        ("http", "::1", True),
        ("http", "LOCALHOST", True),
        ("http", "api.example", False),
        ("http", "localhost.evil.example", False),
        ("http", "127.0.0.1.evil.example", False),
        ("http", "10.0.0.1", False),
        ("ftp", "127.0.0.1", False),
        ("", "", False),
    ],
)
def test_a_token_goes_by_https_or_to_this_host(scheme: str, host: str, fine: bool):
    judge(scheme, host, insecure=True)
    if fine:
        judge(scheme, host, insecure=False)
    else:
        with pytest.raises(Insecure):
            judge(scheme, host, insecure=False)


def test_headers_of_httpx_have_the_token_but_neither_show_nor_copy_it():
    carried = _Carried(httpx.Headers({"X-Auth-Token": "of the user", "A": "b"}), "canary")
    assert carried["x-auth-TOKEN"] == carried.get("X-Auth-Token") == "canary"
    assert "X-Auth-Token" in carried
    assert (carried["a"], "b" in carried) == ("b", False)
    assert carried.raw == [(b"A", b"b"), (b"X-Auth-Token", b"canary")]
    assert "canary" not in f"{carried!r} {dict(carried)} {httpx.Headers(carried)!r} {carried.copy().raw}"


async def test_the_brokers_token_stands_in_place_of_the_users(tmp_path: Path):
    """Rule: who sets an adapter wants its token; one that was set by hand would be sent where it must not be."""
    own = {"X-Auth-Token": "of the user"}
    async with answering(tmp_path) as broker, service(DEAD) as api, service() as other:
        at = f"{api.url}/to/307?{other.url}/b"
        with requests.Session() as session:
            session.auth, session.trust_env = RequestsAuth(url=url(broker)), False
            await asyncio.to_thread(session.get, at, headers=own)
        async with httpx.AsyncClient(
            auth=HttpxAuth(url=url(broker)), follow_redirects=True, trust_env=False
        ) as c:
            await c.get(at, headers=own)
        async with aiohttp.ClientSession(middlewares=[BrokerMiddleware(url=url(broker))]) as client:
            await client.get(at, headers=own)
        assert (api.tokens, other.tokens) == ([DEAD] * 3, [None] * 3)


async def test_a_prepared_request_of_requests_may_be_sent_again_and_again(tmp_path: Path):
    async with answering(tmp_path) as broker, service(FRESH) as api:
        with requests.Session() as session:
            session.auth, session.trust_env = RequestsAuth(url=url(broker)), False
            kill(broker)
            prepared = await asyncio.to_thread(
                session.prepare_request, requests.Request("POST", f"{api.url}/a", data="body")
            )
            for _ in range(3):
                assert (await asyncio.to_thread(session.send, prepared)).status_code == 200
        assert (api.tokens, reports(broker)) == ([DEAD, FRESH, FRESH, FRESH], 1)


async def test_the_first_answer_is_in_the_history_and_can_be_read(tmp_path: Path):
    async with answering(tmp_path) as broker, service(FRESH) as api:
        kill(broker)
        with requests.Session() as session:
            session.auth, session.trust_env = RequestsAuth(url=url(broker)), False
            answer = await asyncio.to_thread(session.get, f"{api.url}/a")
        assert [(each.status_code, each.text) for each in answer.history] == [(401, "answered")]


async def test_a_call_of_aiohttp_that_is_cancelled_while_it_reports_leaves_nothing_open(tmp_path: Path):
    with scripted(tmp_path / "s", GOOD, None) as seen:
        async with service() as api:
            api.text = "x" * 5_000_000  # most of it is still to come
            middleware = BrokerMiddleware(url=f"unix://{tmp_path}/s")
            async with aiohttp.ClientSession(middlewares=[middleware]) as session:
                calling = asyncio.create_task(session.get(f"{api.url}/a").__aenter__())
                async with asyncio.timeout(10):
                    while len(seen) < 2:  # noqa: ASYNC110  (a thread fills it)
                        await asyncio.sleep(0.005)
                calling.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await calling
                assert session.connector is not None
                assert not session.connector._acquired


async def test_who_is_cancelled_while_it_reports_gives_its_turn_to_the_next(tmp_path: Path):
    async with answering(tmp_path) as broker, service(FRESH) as api:
        kill(broker)
        async with aiohttp.ClientSession(middlewares=[BrokerMiddleware(url=url(broker))]) as session:
            broker.issuers["default"].hold_checks = True
            first = asyncio.create_task(session.get(f"{api.url}/a").__aenter__())
            async with asyncio.timeout(10):
                while not broker.issuers["default"].checks:  # noqa: ASYNC110
                    await asyncio.sleep(0.005)
            second = asyncio.create_task(session.get(f"{api.url}/a").__aenter__())
            await asyncio.sleep(0.05)
            first.cancel()
            broker.issuers["default"].hold_checks = False
            await broker.reject(DEAD, prefer="wait=0")
            broker.issuers["default"].checks.pop(0)[1].set_exception(IamError(Fault.REJECTED, "dead"))
            async with await second as answer:
                assert answer.status == 200


def test_a_fork_does_not_wait_for_who_held_the_lock_before_it(tmp_path: Path):
    reporter = ThreadReporter(TokenClient(url=f"unix://{tmp_path}/s", timeout=0))
    with scripted(tmp_path / "s", GOOD):
        sent = reporter.sent(TokenClient(url=f"unix://{tmp_path}/s").token())
    reporter._lock.acquire()
    reporter._pid -= 1  # as a child has it
    assert reporter.another(sent) is None


async def test_the_ready_made_middleware_asks_the_usual_broker(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("KAKAOCLOUD_BROKER_URL", f"unix://{tmp_path}/none")
    monkeypatch.setattr(broker_middleware._client, "timeout", 0)
    async with aiohttp.ClientSession(middlewares=[broker_middleware]) as session:
        with pytest.raises(Away):
            await session.get("http://127.0.0.1:1/")
