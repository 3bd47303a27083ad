"""Networks and servers that break, lie or never end."""

import asyncio
import errno
import gzip
import json
import socket
import zlib

import pytest

from broker.core.errors import Fault
from broker.core.model import Validity
from tests.issuer.asking import KEY, asking, failure, token
from tests.issuer.replies import TOKEN, issued, reply, token_body
from tests.issuer.scripted import Act, endless, hang, reset, scripted, then_hang

BODY = json.dumps(token_body()).encode()
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
MEGABYTE = b"100000\r\n" + b" " * 0x100000 + b"\r\n"


@pytest.mark.parametrize(
    ("act", "fault", "words"),
    [
        pytest.param(b"", Fault.UNAVAILABLE, "before its answer was whole", id="closed unanswered"),
        pytest.param(reset, Fault.UNAVAILABLE, "before its answer was whole", id="reset"),
        pytest.param(issued()[:200], Fault.UNAVAILABLE, "before its answer was whole", id="half a head"),
        pytest.param(issued()[:-1], Fault.UNAVAILABLE, "before its answer was whole", id="half a body"),
        pytest.param(
            CHUNKED + b"5\r\nabc", Fault.UNAVAILABLE, "before its answer was whole", id="half a chunk"
        ),
        pytest.param(hang, Fault.UNAVAILABLE, "in time", id="hung"),
        pytest.param(then_hang(issued()[:40]), Fault.UNAVAILABLE, "in time", id="hung in the head"),
        pytest.param(then_hang(issued()[:-1]), Fault.UNAVAILABLE, "in time", id="hung in the body"),
        pytest.param(b"220 ready\r\n\r\n", Fault.PROTOCOL, "does not speak HTTP", id="not HTTP"),
        pytest.param(
            reply("201 CREATED", b"", "X: " + "x" * 70_000),
            Fault.PROTOCOL,
            "does not speak HTTP",
            id="huge header",
        ),
        pytest.param(reply("201 CREATED", b"<html>"), Fault.PROTOCOL, "X-Subject-Token", id="html"),
        pytest.param(endless(CHUNKED, MEGABYTE), Fault.PROTOCOL, "4 MiB", id="endless"),
        pytest.param(
            endless(b"HTTP/1.1 503 BUSY\r\nTransfer-Encoding: chunked\r\n\r\n", MEGABYTE),
            Fault.UNAVAILABLE,
            "503",
            id="endless refusal",
        ),
    ],
)
async def test_a_broken_answer(act: Act, fault: Fault, words: str):
    seen: list[tuple[str, str, float]] = []
    async with scripted(act) as server, asking(server.url, seen, patience=0.5) as keystone:
        error = await failure(keystone.issue(KEY), fault)
    assert words in error.detail
    assert seen == [("issue", fault.value, 1.0)]


async def test_a_broken_chunk_is_not_understood():
    async with scripted(CHUNKED + b"zz\r\n") as server, asking(server.url) as keystone:
        error = await failure(keystone.validate(token()), Fault.PROTOCOL)
    assert "does not speak HTTP" in error.detail


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("identity", BODY),
        ("gzip", gzip.compress(BODY)),
        ("X-GZIP", gzip.compress(BODY)),
        ("deflate", zlib.compress(BODY)),
    ],
)
async def test_a_gateway_may_pack_what_was_asked_for_unpacked(encoding: str, packed: bytes):
    answer = reply("200 OK", packed, f"Content-Encoding: {encoding}")
    async with scripted(answer) as server, asking(server.url) as keystone:
        assert await keystone.validate(token()) == Validity(frozenset({"r1", "r2"}), None)


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("gzip", BODY),
        ("gzip", gzip.compress(BODY)[:-9]),
        ("gzip", gzip.compress(BODY) + b"more"),
        ("br", BODY),
        ("gzip, gzip", gzip.compress(gzip.compress(BODY))),
        ("gzip\r\nContent-Encoding: gzip", gzip.compress(BODY)),
    ],
)
async def test_other_packing_is_not_understood(encoding: str, packed: bytes):
    answer = reply("200 OK", packed, f"Content-Encoding: {encoding}")
    async with scripted(answer) as server, asking(server.url) as keystone:
        error = await failure(keystone.validate(token()), Fault.PROTOCOL)
    assert "packed" in error.detail


async def test_a_bomb_does_not_unfold():
    bomb = gzip.compress(b" " * (64 * 1024 * 1024))
    assert len(bomb) < 100_000
    answer = reply("201 CREATED", bomb, f"X-Subject-Token: {TOKEN}", "Content-Encoding: gzip")
    async with scripted(answer) as server, asking(server.url) as keystone:
        error = await failure(keystone.issue(KEY), Fault.PROTOCOL)
    assert "4 MiB" in error.detail


async def test_a_refused_connection_names_the_place():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: refuses
        port = taken.getsockname()[1]
        async with asking(f"http://127.0.0.1:{port}/v3") as keystone:
            error = await failure(keystone.issue(KEY), Fault.UNAVAILABLE)
    assert error.detail == f"127.0.0.1:{port} refuses connections; is IAM up, is iam.url right?"


async def test_a_name_that_is_none(monkeypatch: pytest.MonkeyPatch):
    async def nowhere(*_: object, **__: object) -> list[object]:
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", nowhere)
    async with asking("https://iam.test/v3") as keystone:
        error = await failure(keystone.issue(KEY), Fault.UNAVAILABLE)
    assert "the host of iam.test:443 cannot be resolved" in error.detail


async def test_a_host_without_a_way_to_it(monkeypatch: pytest.MonkeyPatch):
    async def unreachable(*_: object) -> None:
        raise OSError(errno.EHOSTUNREACH, "No route to host")

    monkeypatch.setattr(asyncio.get_running_loop(), "sock_connect", unreachable)
    async with asking("https://192.0.2.1/v3") as keystone:
        error = await failure(keystone.issue(KEY), Fault.UNAVAILABLE)
    assert "192.0.2.1:443 cannot be reached" in error.detail
