"""Bytes that no honest client sends: 4xx, nothing of the inside, and the next caller is served."""

from pathlib import Path

import pytest

from tests.serving.house import house

END = b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"


@pytest.mark.parametrize("name", [b"DEFAULT", b"default-", b"~", b"-", b"...", b"a" * 7000])
async def test_a_name_that_is_no_name_is_denied_like_any_other(tmp_path: Path, name: bytes):
    async with house(tmp_path, "default") as broker:
        answer = await broker.raw(b"GET /v1/identities/" + name + b"/token" + END + b"\r\n")
        assert answer.startswith(b"HTTP/1.1 403 ")
        assert b'"access_denied"' in answer
        assert broker.issuers["default"].asked == 0


@pytest.mark.parametrize(
    "name",
    [b"%ff", b"%zz", b"%", b"%00", b"%0d%0aX-Evil:%201", b"%2e%2e", b"..", b"default%2Ftoken", b"default%20"],
)
async def test_a_name_that_could_be_read_in_two_ways_is_no_request(tmp_path: Path, name: bytes):
    async with house(tmp_path, "default") as broker:
        answer = await broker.raw(b"GET /v1/identities/" + name + b"/token" + END + b"\r\n")
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert b'"bad_request"' in answer
        assert b"X-Evil" not in answer
        assert broker.issuers["default"].asked == 0


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /v1/identities/a\0b" + END + b"\r\n",
        b"GET /v1/identities/\xff\xfe" + END + b"\r\n",
        b"GET /" + b"a" * 100_000 + END + b"\r\n",
        b"GET *" + END + b"\r\n",
        b"GET http://[::1/v1/token" + END + b"\r\n",
        b"GET /livez" + END + b"X: " + b"a" * 100_000 + b"\r\n\r\n",
        b"GET /livez" + END + b"".join(b"X%d: a\r\n" % number for number in range(1000)) + b"\r\n",
        b"GET /livez" + END + b"no colon\r\n\r\n",
        b"GET /livez" + END + b"X: a\0b\r\n\r\n",
        b"GET /livez" + END + b"Content-Length: -1\r\n\r\n",
        b"GET /livez" + END + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET /livez" + END + b"Expect: miracles\r\n\r\n",
        b"GET /livez HTTP/9.9\r\n\r\n",
        b"NONSENSE\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
async def test_what_is_no_request_is_4xx_without_an_inside_and_the_next_one_is_served(
    tmp_path: Path, request_bytes: bytes
):
    async with house(tmp_path, "default") as broker:
        await broker.issued()
        answer = await broker.raw(request_bytes)
        assert answer.split()[1][:1] == b"4", answer
        for inside in (b"Traceback", b"File ", b".py", b"token-of-default"):
            assert inside not in answer
        assert (await broker.get("/v1/token")).status == 200
