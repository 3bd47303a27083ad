"""Requests by which somebody tries whether the broker repeats what it is sent, each with a canary somewhere in it."""

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path

from tests.e2e.canaries import Canaries

HEADERS = (
    "Host", "User-Agent", "Authorization", "Cookie", "X-Auth-Token", "X-Subject-Token", "Origin", "Referer", "Prefer",
    "If-None-Match", "Accept", "Forwarded", "X-Forwarded-For", "Via", "Expect", "Upgrade", "Content-Length",
    "Content-Type", "Transfer-Encoding", "Content-Encoding", "Connection", "Range", "traceparent", "X-Anything",
)  # fmt: skip
_LAST = "Metadata: true\nConnection: close\n\n"
TOKEN = 2
SECONDS = 30.0  # more than the broker gives a request
QUIET = 3.0  # who has not been answered by then has sent half a request


def requests(canaries: Canaries, shape: int) -> Iterator[bytes]:
    """All of them with a word that the second net would not cut (0), with an access secret (1) or with a TOKEN."""
    made = (canaries.plain_word, canaries.hex, canaries.fernet)[shape]
    for text in _requests(made("what a caller sent")):
        yield text.replace("\n", "\r\n").encode()


def _requests(word: str) -> Iterator[str]:
    host = f"Host: localhost\n{_LAST}"
    for target in (
        f"/{word}", f"/v1/{word}", f"/v1/identities/{word}", f"/v1/identities/{word}/token", f"/readyz/{word}",
        f"/v1/token?{word}={word}", f"/v1/token?min_ttl={word}", f"/v1/token?format={word}", f"/metrics?{word}",
        f"/openapi.json#{word}", f"http://{word}/v1/identities", f"http://{word}:{word}@localhost/v1/identities", f"//{word}/..",
    ):  # fmt: skip
        yield f"GET {target} HTTP/1.1\n{host}"
    for header in HEADERS:
        first = "" if header == "Host" else "Host: localhost\n"
        yield f"GET /v1/identities HTTP/1.1\n{first}{header}: {word}\n{_LAST}"
        yield f"GET /v1/identities HTTP/1.1\n{first}{header}: {word}\n{header}: a{word}\n{_LAST}"
    for body in (
        f'{{"sha256": "{word}"}}',
        f'{{"{word}": 1}}',
        word,
        f'"{word}"',
        f'{{"sha256": {word}',
        word * 600,
    ):
        head = f"POST /v1/identities/json/rejections HTTP/1.1\nHost: localhost\nContent-Length: {len(body)}\n"
        yield f"{head}{_LAST}{body}"
        yield f"{head}Content-Encoding: gzip\n{_LAST}{body}"
        yield f"{head}Content-Type: {word}\n{_LAST}{body}"
    yield f"{word} /v1/token HTTP/1.1\n{host}"
    yield f"DELETE /v1/identities/{word} HTTP/1.1\n{host}"
    yield f"GET /v1/token {word}\n{host}"
    yield f"GET {word}\n\n"
    yield f"{word}\n\n"
    yield f"GET /v1/token HTTP/1.1\n{word}\n{host}"
    yield f"GET /v1/token HTTP/1.1\n{word}: x\n{host}"
    yield f"GET /v1/token HTTP/1.1\nX: {word * 900}\n{host}"
    yield f"GET /{word * 900} HTTP/1.1\n{host}"
    yield f"POST /v1/identities/json/rejections HTTP/1.1\nHost: localhost\nTransfer-Encoding: chunked\n{_LAST}{word}\n{word}\n0\n\n"
    yield f"CONNECT {word}:443 HTTP/1.1\n{host}"


async def answer(where: Path | int, request: bytes) -> bytes:
    """All that comes back for these bytes, at the socket or at a port of loopback."""
    if isinstance(where, Path):
        reader, writer = await asyncio.open_unix_connection(where)
    else:
        reader, writer = await asyncio.open_connection("127.0.0.1", where)
    writer.write(request)
    got = b""
    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(SECONDS):
            try:
                async with asyncio.timeout(QUIET):
                    while part := await reader.read(1 << 16):
                        got += part
            except TimeoutError:  # it waits for the rest, which does not come
                writer.write_eof()
                while part := await reader.read(1 << 16):
                    got += part
    writer.close()
    return got
