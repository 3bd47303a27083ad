"""An IAM, or a proxy before it, that repeats what it was sent: in its status line, headers, bodies, redirects and errors.

The first part of the path chooses how, so that each identity of one broker meets another way at the same time.
"""

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.issuer.replies import error_body, reply, token_body


@dataclass(frozen=True, slots=True)
class Sent:
    """A request, as far as it matters here."""

    text: str  # the secret or token in it
    token: str  # what it is to get
    issue: bool
    path: str


Style = Callable[[Sent], bytes]


def _issued(sent: Sent, *headers: str, **changes: object) -> bytes:
    body = json.dumps(token_body(**changes)).encode()
    return reply("201 CREATED", body, f"X-Subject-Token: {sent.token}", *headers)


def _named(text: str) -> dict[str, object]:
    return {"id": "p1", "name": text, "domain": {"id": "d1", "name": "acme"}}


def _projects(sent: Sent) -> bytes:
    page = {"projects": [_named(sent.text)], "links": {"next": None}}
    return reply("200 OK", json.dumps(page).encode())


STYLES: dict[str, Style] = {
    "server-error": lambda sent: reply(
        f"500 {sent.text}", error_body(500, sent.text), f"X-Echo: {sent.text}"
    ),
    "rejected": lambda sent: reply("401 NO", error_body(401, sent.text)),
    "gone": lambda sent: reply("404 NOT FOUND", error_body(404, sent.text)),
    "not-found": lambda sent: reply("404 NOT FOUND", sent.text.encode()),
    "forbidden": lambda sent: reply("403 NO", error_body(403, sent.text)),
    "throttled": lambda sent: reply("429 SLOW", error_body(429, sent.text), f"Retry-After: {sent.text}"),
    "redirect": lambda sent: reply(
        "302 FOUND", b"", f"Location: https://evil.example/{sent.text}", f"Set-Cookie: {sent.text}"
    ),
    "page": lambda sent: reply("200 OK", f"<html>{sent.text}</html>".encode()),
    "secret-in-body": lambda sent: _issued(sent, catalog=[_named(sent.text)]),
    "secret-as-name": lambda sent: _issued(sent, project=_named(sent.text)),
    "token-as-name": lambda sent: _issued(sent, user=_named(sent.token)),
    "token-as-role": lambda sent: _issued(sent, roles=[{"id": "r1", "name": sent.token}]),
    "as-time": lambda sent: _issued(sent, expires_at=sent.text, issued_at=sent.token),
    "as-date": lambda sent: _issued(sent, f"Date: {sent.text}", expires_at=None),
    "garbage": lambda sent: f"{sent.text} {sent.token}\r\n\r\n".encode(),
    "odd-header": lambda sent: f"HTTP/1.1 201 OK\r\n{sent.text}\r\n\r\n".encode(),
    "half": lambda sent: _issued(sent)[:-9],
    "bad-chunk": lambda sent: (
        f"HTTP/1.1 201 OK\r\nTransfer-Encoding: chunked\r\n\r\n{sent.text}\r\n".encode()
    ),
    "long-header": lambda sent: reply("201 OK", b"", f"X-Subject-Token: {sent.token * 900}"),
    # Tokens come, and whatever is asked with them is answered so.
    "validated": lambda sent: _issued(sent) if sent.issue else reply("401 NO", error_body(401, sent.text)),
    "listed": lambda sent: _issued(sent) if sent.issue else _projects(sent),
}
# Those that give a token.
GOOD = {"validated", "listed"}


@asynccontextmanager
async def echoing(token: str) -> AsyncIterator[str]:
    """Such a server, which gives this token; its address, to be followed by `/STYLE/v3`."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            writer.write(_answer(*await _request(reader), token))
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def _request(reader: asyncio.StreamReader) -> tuple[str, str]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    length = re.search(r"(?i)\r\ncontent-length: ([0-9]+)", head)
    return head, (await reader.readexactly(int(length[1])) if length else b"").decode()


def _answer(head: str, body: str, token: str) -> bytes:
    method, path, _ = head.split(" ", 2)
    if method == "CONNECT":
        login = re.search(r"(?i)proxy-authorization: (.*)\r\n", head)
        return reply(f"407 {login and login[1]}", head.encode(), f"Proxy-Authenticate: {login and login[1]}")
    issue = method == "POST"
    if issue:
        text = json.loads(body)["auth"]["identity"]["application_credential"]["secret"]
    else:
        header = re.search(r"(?i)x-auth-token: (.*)\r\n", head)
        text = header[1] if header else "no token"
    return STYLES[path.split("/")[1]](Sent(text, token, issue, path))
