"""What stands on the wire when Keystone is asked, and what comes of its answers."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from broker import __version__
from broker.core.errors import Fault
from broker.core.model import KeyByName, KeyFacts, Validity
from broker.core.ports import Issuer
from broker.core.secret import Secret
from broker.issuer.keystone import Endpoint, Keystone
from tests.issuer.asking import KEY, CountingClock, asking, failure, token
from tests.issuer.replies import (
    KEY_ID,
    SECRET,
    TOKEN,
    USER_ID,
    error_body,
    issued,
    key_body,
    reply,
    token_body,
)
from tests.issuer.scripted import hang, scripted


def lines(request: bytes) -> tuple[str, set[str], bytes]:
    head, body = request.split(b"\r\n\r\n", 1)
    first, *headers = head.decode().split("\r\n")
    assert len(headers) == len(set(headers))
    return first, set(headers), body


def always(port: int) -> set[str]:
    return {
        f"Host: 127.0.0.1:{port}",
        "Accept: application/json",
        "Accept-Encoding: identity",
        "Content-Type: application/json",
        f"User-Agent: kakaocloud-broker/{__version__}",
        "Connection: close",
    }


def test_keystone_is_an_issuer():
    issuer: Issuer = Keystone(Endpoint("https://iam.example.com/identity/v3"), CountingClock())
    assert isinstance(issuer, Keystone)


async def test_issue_sends_method_1_and_not_a_byte_more():
    """Content-Type is mandatory at KakaoCloud; a scope would be answered by 401."""
    body = (
        '{"auth":{"identity":{"methods":["application_credential"],'
        f'"application_credential":{{"id":"{KEY_ID}","secret":"{SECRET}"}}}}}}}}'
    ).encode()
    async with scripted(issued()) as server, asking(server.url) as keystone:
        await keystone.issue(KEY)
    (request,) = server.requests
    assert lines(request) == (
        "POST /identity/v3/auth/tokens HTTP/1.1",
        always(server.port) | {f"Content-Length: {len(body)}"},
        body,
    )


async def test_issue_sends_method_2_and_not_a_byte_more():
    body = (
        '{"auth":{"identity":{"methods":["application_credential"],'
        f'"application_credential":{{"name":"mine","secret":"{SECRET}","user":{{"id":"{USER_ID}"}}}}}}}}}}'
    ).encode()
    async with scripted(issued()) as server, asking(server.url) as keystone:
        await keystone.issue(KeyByName("mine", USER_ID, Secret(SECRET)))
    (request,) = server.requests
    assert lines(request)[2] == body


async def test_a_life_is_counted_from_before_the_request_left():
    seen: list[tuple[str, str, float]] = []
    async with scripted(issued()) as server, asking(server.url, seen) as keystone:
        answer = await keystone.issue(KEY)
    assert (answer.sent_at, answer.lifetime, answer.token.value) == (50.0, 12 * 3600, Secret(TOKEN))
    assert seen == [("issue", "ok", 1.0)]


async def test_validate_shows_the_token_to_itself():
    body = json.dumps(token_body()).encode()
    seen: list[tuple[str, str, float]] = []
    answer = reply("200 OK", body, "Date: Fri, 02 Oct 2026 08:00:00 GMT")
    async with scripted(answer) as server, asking(server.url, seen) as keystone:
        validity = await keystone.validate(token())
    assert validity == Validity(frozenset({"r1", "r2"}), datetime(2026, 10, 2, 8, tzinfo=UTC))
    (request,) = server.requests
    assert lines(request) == (
        "GET /identity/v3/auth/tokens?nocatalog HTTP/1.1",
        always(server.port) | {f"X-Auth-Token: {TOKEN}", f"X-Subject-Token: {TOKEN}"},
        b"",
    )
    assert seen == [("validate", "ok", 1.0)]


async def test_a_key_is_looked_at_by_its_own_token():
    seen: list[tuple[str, str, float]] = []
    answer = reply("200 OK", key_body(expires_at="2026-12-01T00:00:00.000000", unrestricted=True))
    async with scripted(answer) as server, asking(server.url, seen) as keystone:
        facts = await keystone.key_facts(token())
    assert facts == KeyFacts("2026-12-01T00:00:00.000000", restricted=False, access_rules=False)
    (request,) = server.requests
    assert lines(request) == (
        f"GET /identity/v3/users/{USER_ID}/application_credentials/{KEY_ID} HTTP/1.1",
        always(server.port) | {f"X-Auth-Token: {TOKEN}"},
        b"",
    )
    assert seen == [("key", "ok", 1.0)]


async def test_ids_cannot_change_the_path_to_a_key():
    async with scripted(reply("200 OK", key_body())) as server, asking(server.url) as keystone:
        await keystone.key_facts(token("a/../b?c", "d/../e#f"))
    assert lines(server.requests[0])[0] == (
        "GET /identity/v3/users/a%2F..%2Fb%3Fc/application_credentials/d%2F..%2Fe%23f HTTP/1.1"
    )


async def test_an_unnamed_key_is_not_asked_for():
    """KakaoCloud may leave its id out of the token; then nothing is sent."""
    seen: list[tuple[str, str, float]] = []
    async with scripted(reply("200 OK", key_body())) as server, asking(server.url, seen) as keystone:
        await failure(keystone.key_facts(token(key_id=None)), Fault.PROTOCOL)
    assert (server.requests, seen) == ([], [])


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (reply("401 UNAUTHORIZED", error_body(401)), Fault.REJECTED),
        (reply("404 NOT FOUND", error_body(404)), Fault.REJECTED),
        (reply("404 NOT FOUND", b"<html></html>"), Fault.PROTOCOL),
        (reply("403 FORBIDDEN", error_body(403)), Fault.PROTOCOL),
        (reply("204 NO CONTENT"), Fault.PROTOCOL),
        (reply("503 SERVICE UNAVAILABLE", b"", "Content-Encoding: gzip"), Fault.UNAVAILABLE),
    ],
)
async def test_each_refusal_is_told_to_the_observer(answer: bytes, fault: Fault):
    seen: list[tuple[str, str, float]] = []
    async with scripted(answer) as server, asking(server.url, seen) as keystone:
        await failure(keystone.validate(token()), fault)
        await failure(keystone.issue(KEY), fault)
        await failure(keystone.projects(token()), fault)
        await failure(keystone.key_facts(token()), fault)
    assert seen == [(operation, fault.value, 1.0) for operation in ("validate", "issue", "projects", "key")]


async def test_a_wish_to_wait_is_counted_from_iams_own_clock():
    wish = ("Date: Fri, 02 Oct 2026 08:00:00 GMT", "Retry-After: Fri, 02 Oct 2026 08:00:42 GMT")
    answers = reply("429 TOO MANY", b"", *wish), reply("503 BUSY", b"", "Retry-After: 7")
    async with scripted(*answers) as server, asking(server.url) as keystone:
        assert (await failure(keystone.issue(KEY), Fault.THROTTLED)).retry_after == 42
        assert (await failure(keystone.issue(KEY), Fault.UNAVAILABLE)).retry_after == 7


@pytest.mark.parametrize("status", ["301 MOVED", "302 FOUND", "307 TEMPORARY", "308 PERMANENT"])
async def test_a_redirect_is_not_followed(status: str):
    """It would carry the access key to wherever it points."""
    async with scripted(issued()) as elsewhere:
        away = reply(status, b"", f"Location: {elsewhere.url}/auth/tokens")
        async with scripted(away) as server, asking(server.url) as keystone:
            error = await failure(keystone.issue(KEY), Fault.PROTOCOL)
    assert "final address" in error.detail
    assert elsewhere.requests == []


async def test_cookies_are_forgotten():
    async with scripted(issued("Set-Cookie: a=b; Path=/")) as server, asking(server.url) as keystone:
        await keystone.issue(KEY)
        await keystone.issue(KEY)
    assert b"Cookie" not in server.requests[1]


async def test_netrc_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login root password canary\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    async with scripted(issued()) as server, asking(server.url) as keystone:
        await keystone.issue(KEY)
    assert b"Authorization" not in server.requests[0]


async def test_cancellation_passes_and_is_no_outcome():
    seen: list[tuple[str, str, float]] = []
    async with scripted(hang) as server, asking(server.url, seen) as keystone:
        flight = asyncio.create_task(keystone.issue(KEY))
        await asyncio.wait_for(server.asked.wait(), timeout=5)
        flight.cancel()
        with pytest.raises(asyncio.CancelledError):
            await flight
    assert seen == []


async def test_a_closed_keystone_says_so():
    keystone = Keystone(Endpoint("http://127.0.0.1:9/v3"), CountingClock())
    with pytest.raises(RuntimeError, match="not open"):
        await keystone.issue(KEY)
