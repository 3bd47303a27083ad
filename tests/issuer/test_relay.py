"""What is passed on for clients of the facade: exactly what they ask, with the token and nothing else, and only to IAM."""

import asyncio
import gzip

import pytest

from broker.core.errors import Fault
from broker.core.model import Passed
from broker.core.secret import Secret
from broker.issuer.endpoint import CONNECTIONS
from tests.issuer.asking import KEY, asking, failure
from tests.issuer.replies import TOKEN, error_body, issued, reply
from tests.issuer.scripted import Act, Server, endless, hang, scripted, then_hang

THE_TOKEN = Secret(TOKEN)
LARGEST = 4 * 1024 * 1024
OK = reply("200 OK", b'{"users": []}')


async def passed(*acts: Act, method: str = "GET", target: str = "/users") -> tuple[Passed, Server]:
    async with scripted(*acts) as server, asking(server.url) as keystone:
        return await keystone.relay(THE_TOKEN, method, target), server


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_method_path_and_query_are_the_clients_and_the_token_is_all_that_is_told(method: str):
    answer = OK if method == "GET" else reply("200 OK")
    _, server = await passed(answer, method=method, target="/users/u1/projects?enabled=1&name=a%20b&x=c+d")
    (request,) = server.requests
    line, *fields = request.decode().removesuffix("\r\n\r\n").split("\r\n")
    assert line == f"{method} /identity/v3/users/u1/projects?enabled=1&name=a%20b&x=c+d HTTP/1.1"
    told = dict(field.split(": ", 1) for field in fields)
    assert told.pop("User-Agent").startswith("kakaocloud-broker/")
    assert told == {
        "Host": f"127.0.0.1:{server.port}",
        "X-Auth-Token": TOKEN,
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        "Content-Type": "application/json",
        "Connection": "close",
    }


@pytest.mark.parametrize(
    "target",
    [
        "/x?u=http://evil.example/",
        "/x?@evil.example",
        "/@evil.example/",
        "/x?%0d%0aX-Y:%201",
        "/x?\\\\evil",
        "/x;y/",
    ],
)
async def test_whatever_is_asked_goes_to_iam_and_below_its_path(target: str):
    _, server = await passed(OK, target=target)
    (request,) = server.requests
    assert request.startswith(b"GET /identity/v3" + target.encode()[:2])
    assert f"\r\nHost: 127.0.0.1:{server.port}\r\n".encode() in request
    assert b"\r\nX-Y" not in request


@pytest.mark.parametrize(
    "status", ["200 OK", "203 X", "400 X", "401 X", "403 X", "404 X", "409 X", "429 X", "500 X", "503 X"]
)
async def test_every_word_of_iam_is_passed_back(status: str):
    body = error_body(int(status[:3]))
    answer, _ = await passed(reply(status, body, "Retry-After: 7", "Set-Cookie: a=b"))
    assert answer == Passed(int(status[:3]), "application/json", "7", body)


async def test_an_answer_without_a_body_is_one():
    answer, _ = await passed(b"HTTP/1.1 204 No Content\r\n\r\n")
    assert (answer.status, answer.body) == (204, b"")


async def test_interim_answers_are_none():
    answer, _ = await passed(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK)
    assert (answer.status, answer.body) == (200, b'{"users": []}')


@pytest.mark.parametrize("status", ["300 X", "301 X", "302 X", "304 X", "307 X", "308 X", "101 X", "999 X"])
async def test_what_leads_elsewhere_is_neither_followed_nor_passed_back(status: str):
    async with scripted(OK) as elsewhere:
        away = f"HTTP/1.1 {status}\r\nLocation: {elsewhere.url}\r\nContent-Length: 0\r\n\r\n".encode()
        async with scripted(away) as server, asking(server.url) as keystone:
            error = await failure(
                keystone.relay(THE_TOKEN, "GET", "/users"),
                Fault.UNAVAILABLE if status == "999 X" else Fault.PROTOCOL,
            )
    assert elsewhere.requests == []
    assert elsewhere.url not in error.detail


async def test_a_proxys_wish_for_a_login_is_not_iams():
    """A client would look for its own proxy."""
    async with scripted(reply("407 X")) as server, asking(server.url) as keystone:
        error = await failure(keystone.relay(THE_TOKEN, "GET", "/users"), Fault.UNAVAILABLE)
    assert "proxy" in error.detail


async def test_up_to_4_mib_are_passed_back_and_not_a_byte_more():
    answer, _ = await passed(reply("200 OK", b"x" * LARGEST))
    assert len(answer.body) == LARGEST
    for status in ("200 OK", "500 X"):
        async with scripted(reply(status, b"x" * (LARGEST + 1))) as server, asking(server.url) as keystone:
            await failure(keystone.relay(THE_TOKEN, "GET", "/users"), Fault.PROTOCOL)


async def test_what_never_ends_is_cut_and_what_unfolds_without_end_too():
    bomb = gzip.compress(bytes(LARGEST + 1))
    packed = reply("200 OK", bomb, "Content-Encoding: gzip")
    for act in (endless(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65536), packed):
        async with scripted(act) as server, asking(server.url) as keystone:
            await failure(keystone.relay(THE_TOKEN, "GET", "/users"), Fault.PROTOCOL)


@pytest.mark.parametrize("act", [hang, then_hang(OK[:-3])], ids=["no answer", "half of one"])
async def test_iam_has_one_time_out_for_all_of_it(act: Act):
    async with scripted(act) as server, asking(server.url, patience=0.1) as keystone:
        async with asyncio.timeout(5):
            await failure(keystone.relay(THE_TOKEN, "GET", "/users"), Fault.UNAVAILABLE)


@pytest.mark.parametrize("more", ["", "\r\nContent-Encoding: gzip"], ids=["plain", "of a gateway that packs"])
async def test_the_answer_to_head_has_the_length_of_a_body_and_none(more: str):
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 5000000{more}\r\n\r\n"
    answer, _ = await passed(head.encode(), method="HEAD")
    assert answer == Passed(200, "application/json", None, b"")


@pytest.mark.parametrize("kind", ["text/x\xff", "caf\xe9/json"])
async def test_a_kind_that_is_no_ascii_is_none(kind: str):
    """It could not be written to the client, and the connection would break."""
    line = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nRetry-After: {kind}\r\nContent-Length: 0\r\n\r\n"
    answer, _ = await passed(line.encode("latin-1"))
    assert (answer.kind, answer.retry_after) == (None, None)


async def test_it_is_told_by_a_name_of_its_own():
    seen: list[tuple[str, str, float]] = []
    async with scripted(OK, hang) as server, asking(server.url, seen, patience=0.1) as keystone:
        await keystone.relay(THE_TOKEN, "GET", "/users")
        await failure(keystone.relay(THE_TOKEN, "GET", "/users"), Fault.UNAVAILABLE)
    assert [each[:2] for each in seen] == [("relay", "ok"), ("relay", "unavailable")]


async def test_however_many_are_passed_on_an_issue_waits_for_none_of_them():
    """L3."""

    async def slow_but_for_tokens(
        server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if server.requests[-1].startswith(b"POST"):
            writer.write(issued())
        else:
            await hang(server, reader, writer)

    async with scripted(slow_but_for_tokens) as server, asking(server.url, patience=5.0) as keystone:
        relays = [
            asyncio.create_task(keystone.relay(THE_TOKEN, "GET", "/users")) for _ in range(2 * CONNECTIONS)
        ]
        await server.asked.wait()
        async with asyncio.timeout(2):
            await keystone.issue(KEY)
        for task in relays:
            task.cancel()
        await asyncio.gather(*relays, return_exceptions=True)


async def test_after_its_end_it_is_away_and_not_a_defect():
    """An identity may go while somebody waits for a turn."""
    async with scripted(OK) as server:
        async with asking(server.url) as keystone:
            pass
        await failure(keystone.relay(THE_TOKEN, "GET", "/users"), Fault.UNAVAILABLE)
    assert server.requests == []
