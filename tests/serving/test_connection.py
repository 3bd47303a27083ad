"""What no application sees: bytes that are no request, as problems in our words and as nothing in the log."""

import asyncio
import logging
from pathlib import Path

import pytest
import structlog

from tests.serving.house import Answer, House, house, parsed, until

HEAD = b"GET /livez HTTP/1.1\r\nHost: x\r\n"
TLS_HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(64))
RUBBISH = [
    (TLS_HELLO, 400, "bad_request"),
    (b"\0\0\0\0\r\n\r\n", 400, "bad_request"),
    (b"NONSENSE\r\n\r\n", 400, "bad_request"),
    (b"G<script>ET / HTTP/1.1\r\nHost: x\r\n\r\n", 400, "bad_request"),
    (b"GET / HTTP/9.9\r\nHost: x\r\n\r\n", 400, "bad_request"),
    (HEAD + b"Content-Length: -1\r\n\r\n", 400, "bad_request"),
    (HEAD + b"Content-Length: many\r\n\r\n", 400, "bad_request"),
    (HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400, "bad_request"),
    (HEAD + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "bad_request"),
    (HEAD + b"no colon\r\n\r\n", 400, "bad_request"),
    (HEAD + b"Expect: miracles\r\nConnection: close\r\n\r\n", 400, "bad_request"),
    (HEAD + b"X: " + b"a" * 20_000 + b"\r\n\r\n", 431, "too_large"),
    (HEAD + b"a" * 20_000 + b": X\r\n\r\n", 431, "too_large"),
    (b"GET /" + b"a" * 8190 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 431, "too_large"),
    (b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 431, "too_large"),
    (HEAD + b"".join(b"X%d: a\r\n" % number for number in range(128)) + b"\r\n", 400, "bad_request"),
    (
        HEAD + b"".join(b"X%d: %s\r\n" % (number, b"a" * 8000) for number in range(20)) + b"\r\n",
        413,
        "too_large",
    ),
]


@pytest.fixture
def everything_logged(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.DEBUG)
    structlog.configure(logger_factory=structlog.stdlib.LoggerFactory(), cache_logger_on_first_use=False)
    return caplog


def is_ours(answer: Answer) -> None:
    assert answer.headers.getall("Server") == ["kakaocloud-broker"]
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(("request_bytes", "status", "code"), RUBBISH)
async def test_what_is_no_request_is_a_problem_and_nothing_above_debug(
    tmp_path: Path, everything_logged, request_bytes: bytes, status: int, code: str
):
    async with house(tmp_path, "default") as broker:
        answer = parsed(await broker.raw(request_bytes))
    assert (answer.status, answer.tree["status"], answer.tree["code"]) == (status, status, code)
    assert answer.headers["Content-Type"] == "application/problem+json"
    is_ours(answer)
    for quoted in (b"script", b"many", b"miracles", b"NONSENSE", b"aaaa"):
        assert quoted not in answer.body
    # asyncio warns of slow steps where it is debugged; that is not about the request.
    records = [record for record in everything_logged.records if record.name != "asyncio"]
    assert [record for record in records if record.levelno > logging.DEBUG] == []
    assert "Traceback" not in everything_logged.text


@pytest.mark.parametrize(
    ("target", "method", "status"),
    [
        ("/livez", "GET", 200),
        ("/livez", "HEAD", 200),
        ("/v1/token", "GET", 200),
        ("/v1/token?format=text", "GET", 200),
        ("/v1/token?format=xml", "GET", 400),
        ("/v1/identities/other", "GET", 403),
        ("/nothing", "GET", 404),
        ("/livez", "POST", 405),
        ("/readyz", "GET", 200),
        ("/metrics", "GET", 200),
        ("/openapi.json", "GET", 200),
    ],
)
async def test_every_answer_is_signed_by_us_and_kept_by_nobody(
    tmp_path: Path, target: str, method: str, status: int
):
    async with house(tmp_path, "default") as broker:
        await broker.issued()
        answer = await broker.get(target, method)
        assert answer.status == status
        is_ours(answer)


async def test_a_client_that_leaves_in_the_middle_is_no_news(tmp_path: Path, everything_logged):
    async with house(tmp_path, "default") as broker:
        await hang_up(broker, b"GET /v1/token HTTP/1.1\r\nHost: x\r\nPrefer: wait=30\r\n\r\n")
        await hang_up(broker, b"GET /v1/tok")
        await hang_up(broker, b"")
        assert (await broker.get("/livez")).status == 200
        broker.issuers["default"].grant()
    records = [record for record in everything_logged.records if record.name != "asyncio"]
    assert [record for record in records if record.levelno > logging.DEBUG] == []


async def hang_up(broker: House, request: bytes) -> None:
    _, writer = await asyncio.open_unix_connection(broker.path)
    writer.write(request)
    if request.endswith(b"\r\n\r\n"):
        await until(lambda: broker.clock.waiting)
    writer.transport.abort()
