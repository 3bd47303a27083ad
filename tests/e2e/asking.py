"""Four ways to ask over HTTP: curl as a process, requests, httpx and aiohttp, each as its manual has it.

- None of them asks a proxy, whatever the environment of the tests says.
- Only curl can be another user: `user` is its uid, with a gid of the same number and `groups` beside.
"""

import asyncio
import json
import os
import re
import shutil
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import pytest
import requests
from multidict import CIMultiDict

from tests.e2e.spoken import SPOKEN

SECONDS = 40.0
_TOKEN = re.compile(rb"gAAAAA[\w-]{20,}={0,2}")
CURL = shutil.which("curl")
needs_curl = pytest.mark.skipif(CURL is None, reason="there is no curl here")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user needs root")


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back."""

    status: int
    headers: CIMultiDict[str]
    body: bytes

    @property
    def tree(self) -> dict[str, Any]:
        tree = json.loads(self.body)
        assert isinstance(tree, dict)
        return tree

    @property
    def code(self) -> str | None:
        """The code of a refusal."""
        kind = self.headers.get("Content-Type", "")
        return str(self.tree["code"]) if kind == "application/problem+json" and self.body else None

    @property
    def but_date(self) -> tuple[int, dict[str, str], bytes]:
        """All of it that does not change by the second."""
        return self.status, {k.lower(): v for k, v in self.headers.items() if k.lower() != "date"}, self.body


Ask = Callable[[str, Mapping[str, str], str], Awaitable[Reply]]


def _reply(status: int, headers: Sequence[tuple[str, str]], body: bytes) -> Reply:
    for token in _TOKEN.findall(body):
        SPOKEN.guard(token.decode(), "a token")
    return Reply(status, CIMultiDict(headers), body)


async def curl(
    url: str,
    headers: Mapping[str, str],
    method: str = "GET",
    *,
    socket: Path | None = None,
    user: int | None = None,
    groups: Sequence[int] = (),
    prefix: Sequence[str] = (),
    more: Sequence[str] = (),
) -> Reply:
    """By curl; ConnectionError where it got no answer."""
    words = [*prefix, str(CURL), "-sS", "--noproxy", "*", "--max-time", f"{SECONDS:.0f}", *more]
    words += ["--head"] if method == "HEAD" else ["--include", "--request", method]
    words += ["--unix-socket", str(socket)] if socket else []
    for name, value in headers.items():
        words += ["--header", f"{name}: {value}"]
    who: dict[str, Any] = {} if user is None else {"user": user, "group": user, "extra_groups": [*groups]}
    child = await asyncio.create_subprocess_exec(
        *words, url, cwd="/", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, **who
    )
    out, err = await child.communicate()
    if child.returncode:
        raise ConnectionError(err.decode().strip())
    head, _, body = out.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    return _reply(
        int(first.split()[1]), [(k, v) for k, _, v in (line.partition(": ") for line in lines)], body
    )


async def by_requests(url: str, headers: Mapping[str, str], method: str = "GET") -> Reply:
    def ask() -> Reply:
        with requests.Session() as session:
            session.trust_env = False
            answer = session.request(method, url, headers=headers, timeout=SECONDS)
            return _reply(answer.status_code, [*answer.headers.items()], answer.content)

    return await asyncio.to_thread(ask)


async def by_httpx(
    url: str, headers: Mapping[str, str], method: str = "GET", *, socket: Path | None = None
) -> Reply:
    transport = httpx.AsyncHTTPTransport(uds=str(socket)) if socket else None
    async with httpx.AsyncClient(trust_env=False, transport=transport, timeout=SECONDS) as client:
        answer = await client.request(method, url, headers=headers)
        return _reply(answer.status_code, [*answer.headers.items()], answer.content)


async def by_aiohttp(url: str, headers: Mapping[str, str], method: str = "GET") -> Reply:
    timeout = aiohttp.ClientTimeout(total=SECONDS)
    async with (
        aiohttp.ClientSession(timeout=timeout) as session,
        session.request(method, url, headers=headers) as answer,
    ):
        return _reply(answer.status, [*answer.headers.items()], await answer.read())


# By the name of each; without curl, the other three.
ASKERS: dict[str, Ask] = {"requests": by_requests, "httpx": by_httpx, "aiohttp": by_aiohttp}
if CURL:
    ASKERS["curl"] = curl
METADATA = {"Metadata": "true"}
