"""What two programs could understand in two ways is refused, on the socket and on loopback TCP alike, by its form alone."""

import asyncio
from pathlib import Path

import pytest

from tests.serving.house import house, parsed
from tests.serving.test_gates import METADATA, doors, refused

GOOD = b"Host: localhost\r\nMetadata: true\r\n"


async def test_no_host_and_two_hosts_are_refused(tmp_path: Path):
    """HTTP/1.1 forbids both, so the parser does; HTTP/1.0 knows requests without one, so the gate does."""
    async with doors(tmp_path) as (_, door):
        for lines, host in ((("Host: evil.example",), "localhost"), (("Host: localhost",), "x"), ((), None)):
            answer = await door.ask("/v1/token", METADATA, *lines, host=host)
            assert (answer.status, answer.tree["code"]) == (400, "bad_request")
        old = b"GET /v1/token HTTP/1.0\r\nMetadata: true\r\n"
        refused(parsed(await door.raw(old + b"\r\n")), "host_not_allowed")
        assert b"token-of-default" in await door.raw(old + b"Host: localhost\r\n\r\n")


@pytest.mark.parametrize(
    ("head", "code"),
    [
        (b"GET /v1/token\r\n", "bad_request"),  # HTTP/0.9, which the library would take
        (b"GET /v1/token HTTP/2.0\r\n" + GOOD, "bad_request"),
        (
            b"GET /v1/token HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\nMetadata: true\r\n",
            "bad_request",
        ),
        (b"GET /v1/token HTTP/1.1\r\nHost: a@localhost\r\nMetadata: true\r\n", None),
        (b"GET /v1/token HTTP/1.1\r\nHost: localhost:123456\r\nMetadata: true\r\n", None),
        (b"GET /v1/token HTTP/1.1\r\nHost:\r\nMetadata: true\r\n", None),
        (b"GET /v1/token HTTP/1.1\r\nMetadata: true\r\n", "bad_request"),
        (b"GET http://localhost/v1/token HTTP/1.1\r\n" + GOOD, "forwarded_request"),
        (b"GET //v1/token HTTP/1.1\r\n" + GOOD, "bad_request"),
        (b"GET /v1/./token HTTP/1.1\r\n" + GOOD, "bad_request"),
        (b"GET /v1/x/../token HTTP/1.1\r\n" + GOOD, "bad_request"),
        (b"GET /v1/.. HTTP/1.1\r\n" + GOOD, "bad_request"),
        (b"GET /v1/%74oken HTTP/1.1\r\n" + GOOD, "bad_request"),
        (b"GET /v1%2ftoken HTTP/1.1\r\n" + GOOD, "bad_request"),
        (b"GET /v1\\token HTTP/1.1\r\n" + GOOD, "bad_request"),
        (b"GET /v1/token;x=1 HTTP/1.1\r\n" + GOOD, "bad_request"),
        (b"GET /v1/token#x HTTP/1.1\r\n" + GOOD, "bad_request"),
        (b"GET /v1/token?format=json#x HTTP/1.1\r\n" + GOOD, "bad_request"),
        (b"OPTIONS * HTTP/1.1\r\n" + GOOD, "bad_request"),
        (b"CONNECT localhost:80 HTTP/1.1\r\n" + GOOD, "bad_request"),
        (b"TRACE /v1/token HTTP/1.1\r\n" + GOOD, "method_not_allowed"),
        (b"GET /v1/token HTTP/1.1\r\nContent-Length: 5\r\n" + GOOD + b"\r\nhello", "bad_request"),
        (b"GET /v1/token HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + GOOD + b"\r\n0\r\n", "bad_request"),
        (b"GET /v1/token HTTP/1.0\r\nTransfer-Encoding: chunked\r\n" + GOOD + b"\r\n0\r\n", "bad_request"),
        (
            b"POST /v1/identities/default/rejections HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n"
            + GOOD
            + b"\r\n0\r\n",
            "bad_request",
        ),
    ],
)
async def test_what_could_be_understood_in_two_ways_is_refused_on_both_listeners(
    tmp_path: Path, head: bytes, code: str | None
):
    async with doors(tmp_path) as (broker, door):
        for raw, otherwise in ((broker.raw, "bad_request"), (door.raw, "host_not_allowed")):
            first, _, rest = head.partition(b"\r\n")
            answer = parsed(await raw(first + b"\r\nConnection: close\r\n" + rest + b"\r\n"))
            assert 400 <= answer.status < 500
            assert answer.tree["code"] == (code or otherwise)
        assert broker.audit.hand_outs == []


async def test_what_clients_offer_by_habit_changes_nothing(tmp_path: Path):
    """Java's client offers HTTP/2 of its own accord: it is answered, and asks on by another connection."""
    async with house(tmp_path, "default") as broker:
        await broker.issued()
        for lines in (
            b"Upgrade: h2c\r\nConnection: Upgrade\r\n",
            b"Expect: 100-continue\r\nConnection: close\r\n",
        ):
            told = await broker.raw(b"GET /v1/token HTTP/1.1\r\nHost: b\r\n" + lines + b"\r\n")
            assert told.count(b"HTTP/1.1 200 OK") == 1
            assert b"token-of-default" in told


async def test_an_absolute_target_is_meant_for_a_proxy(tmp_path: Path):
    """It names a host of its own, which would count before the Host header (RFC 9112, 3.2.2)."""
    async with doors(tmp_path) as (_, door):
        for host in ("evil.example", "localhost"):
            refused(await door.ask(f"http://{host}/v1/token", METADATA), "forwarded_request")


@pytest.mark.parametrize(
    "first",
    [
        b"GET /livez HTTP/1.1\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n",
        b"GET /livez HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n",
        b"CONNECT evil:80 HTTP/1.1\r\n",
        b"CONNECT /v1/token HTTP/1.1\r\n",
    ],
)
@pytest.mark.parametrize("split", [False, True])
async def test_nothing_is_heard_after_an_offer_of_another_protocol(tmp_path: Path, first: bytes, split: bool):
    """The parser would lose the head that follows, and take the body of that one for a request."""
    hidden = b"GET /v1/token HTTP/1.1\r\n" + GOOD + b"\r\n"
    head = b"POST /v1/identities/default/rejections HTTP/1.1\r\nOrigin: x\r\n" + GOOD
    second = head + b"Content-Length: %d\r\n\r\n" % len(hidden)
    async with doors(tmp_path) as (broker, door):
        for open_door in (
            asyncio.open_unix_connection(broker.path),
            asyncio.open_connection(door.host, door.port),
        ):
            reader, writer = await open_door
            writer.write(first + GOOD + b"\r\n" + second)
            if split:
                await asyncio.sleep(0)
            writer.write(hidden)
            async with asyncio.timeout(10):
                told = await reader.read(-1)
            writer.close()
            assert told.count(b"HTTP/1.1 ") == 1
            assert b"token-of-default" not in told
        assert broker.audit.hand_outs == []


async def test_an_expectation_that_nobody_knows_is_booked_like_any_refusal(tmp_path: Path):
    async with doors(tmp_path) as (broker, door):
        answer = await door.ask("/v1/token", METADATA, "Expect: miracles")
        assert (answer.status, answer.tree["code"]) == (400, "bad_request")
        assert broker.books.refusals == ["bad_request"]
        assert [(reason, by) for *_, reason, by in broker.audit.refusals] == [("bad_request", "parser")]
