"""Four ways to call a service with the broker's token: requests, httpx in threads and on a loop, and aiohttp."""

import asyncio
import io
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import aiohttp
import httpx
import requests

from broker.client.aiohttp import BrokerMiddleware
from broker.client.httpx import BrokerAuth as HttpxAuth
from broker.client.requests import BrokerAuth as RequestsAuth

Call = Callable[..., Awaitable[int]]  # method, url, and perhaps a body; the status
Caller = Callable[..., AbstractAsyncContextManager[Call]]


@asynccontextmanager
async def by_requests(**own: Any) -> AsyncIterator[Call]:  # noqa: ANN401 - the adapter's own arguments
    with requests.Session() as session:
        session.trust_env = False
        session.auth = RequestsAuth(**own)
        session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=200))

        async def call(method: str, url: str, body: object = None) -> int:
            answer = await asyncio.to_thread(session.request, method, url, data=body, timeout=20)  # type: ignore[arg-type]
            return answer.status_code

        yield call


@asynccontextmanager
async def by_httpx(**own: Any) -> AsyncIterator[Call]:  # noqa: ANN401 - the adapter's own arguments
    limits = httpx.Limits(max_connections=200)
    with httpx.Client(
        auth=HttpxAuth(**own), trust_env=False, follow_redirects=True, timeout=20, limits=limits
    ) as client:

        async def call(method: str, url: str, body: Any = None) -> int:  # noqa: ANN401 - of many kinds
            return (await asyncio.to_thread(client.request, method, url, content=body)).status_code

        yield call


@asynccontextmanager
async def by_async_httpx(**own: Any) -> AsyncIterator[Call]:  # noqa: ANN401 - the adapter's own arguments
    async with httpx.AsyncClient(
        auth=HttpxAuth(**own), trust_env=False, follow_redirects=True, timeout=20
    ) as client:

        async def call(method: str, url: str, body: Any = None) -> int:  # noqa: ANN401 - of many kinds
            return (await client.request(method, url, content=_async(body))).status_code

        yield call


@asynccontextmanager
async def by_aiohttp(**own: Any) -> AsyncIterator[Call]:  # noqa: ANN401 - the adapter's own arguments
    timeout = aiohttp.ClientTimeout(total=20)
    async with aiohttp.ClientSession(middlewares=[BrokerMiddleware(**own)], timeout=timeout) as session:

        async def call(method: str, url: str, body: object = None) -> int:
            async with session.request(method, url, data=_async(body)) as answer:
                return answer.status

        yield call


CALLERS: dict[str, Caller] = {
    "requests": by_requests,
    "httpx": by_httpx,
    "async httpx": by_async_httpx,
    "aiohttp": by_aiohttp,
}


def pieces() -> Iterator[bytes]:
    """A body that can be sent only once."""
    yield b"piece "
    yield b"by piece"


def _async(body: object) -> Any:  # noqa: ANN401 - as above
    """The same for who wants its pieces awaited."""
    if not isinstance(body, Iterator) or isinstance(body, io.IOBase):
        return body

    async def awaited() -> AsyncIterator[bytes]:
        for piece in body:
            yield piece

    return awaited()
