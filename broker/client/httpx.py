"""Tokens for httpx: `httpx.Client(auth=BrokerAuth())`, and AsyncClient alike, on asyncio.

- The token goes with the request, and with redirects within its origin; a redirect elsewhere goes without. The client makes
  its redirects from a copy of the headers, so the token is kept where a copy does not have it.
- After a 401 the token is reported, and the request is sent once more with another token, if there is one and the body can be
  sent again: all but iterators, files and multipart forms. The second answer is the user's, whatever it is.
"""

from collections.abc import AsyncGenerator, Generator
from typing import Any

import httpx

from broker.client.asking import TIMEOUT, Given
from broker.client.async_token_client import AsyncTokenClient
from broker.client.destination import HEADER, judge
from broker.client.reporter import Sent, ThreadReporter
from broker.client.task_reporter import TaskReporter
from broker.client.token import Token
from broker.client.token_client import TokenClient

_KEY = HEADER.lower()
_SAFE = {"GET", "HEAD", "OPTIONS"}
# What a request comes to: each is sent, or another token than the one sent is looked for.
_Plan = Generator[httpx.Request | Sent, Any, None]


class BrokerAuth(httpx.Auth):
    """Authenticates requests with the token of an identity; safe to share among clients, threads and tasks.

    `identity`, `url` and `timeout` are those of TokenClient; with `insecure` a token may go over plain http to other hosts.
    """

    def __init__(
        self,
        identity: str | None = None,
        *,
        url: str | None = None,
        timeout: float = TIMEOUT,
        insecure: bool = False,
    ) -> None:
        self._client = TokenClient(identity, url=url, timeout=timeout)
        self._async_client = AsyncTokenClient(identity, url=url, timeout=timeout)
        self._threads, self._tasks = ThreadReporter(self._client), TaskReporter(self._async_client)
        self._insecure = insecure

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Raises ClientError where there is no token, or where it must not go."""
        judge(request.url.scheme, request.url.host, insecure=self._insecure)
        plan = _plan(request, self._threads.sent(self._client.token()))
        came: httpx.Response | Token | None = None
        try:
            while True:
                step = plan.send(came)
                came = self._threads.another(step) if isinstance(step, Sent) else (yield step)
        except StopIteration:
            return

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """The same for AsyncClient."""
        judge(request.url.scheme, request.url.host, insecure=self._insecure)
        plan = _plan(request, self._tasks.sent(await self._async_client.token()))
        came: httpx.Response | Token | None = None
        try:
            while True:
                step = plan.send(came)
                came = await self._tasks.another(step) if isinstance(step, Sent) else (yield step)
        except StopIteration:
            return


def _plan(request: httpx.Request, sent: Sent) -> _Plan:
    origin = _origin(request)
    response = yield _carrying(request, sent.token)
    way = [*(each.request for each in response.history), response.request]
    if response.request is not request and all(_origin(each) == origin for each in way):
        request = response.request  # a redirect within the origin, which was followed without the token
        if response.status_code == 401 or request.method in _SAFE:
            response = yield _carrying(request, sent.token)
    if response.status_code == 401 and response.request is request:
        another = yield sent
        if another is not None and isinstance(request.stream, httpx.ByteStream):
            yield _carrying(request, another)


def _carrying(request: httpx.Request, token: Given) -> httpx.Request:
    request.headers = _Carried(request.headers, token.value.reveal())
    return request


def _origin(request: httpx.Request) -> tuple[str, str, int | None]:
    return request.url.scheme, request.url.host, request.url.port


class _Carried(httpx.Headers):
    """Headers with a token that is sent and can be looked up, but neither copied nor shown."""

    def __init__(self, headers: httpx.Headers, token: str) -> None:
        self._token = token
        super().__init__(headers)
        if super().__contains__(_KEY):
            super().__delitem__(_KEY)

    @property
    def raw(self) -> list[tuple[bytes, bytes]]:
        return [*super().raw, (HEADER.encode(), self._token.encode())]

    def __getitem__(self, key: str) -> str:
        return self._token if key.lower() == _KEY else super().__getitem__(key)

    def __contains__(self, key: object) -> bool:
        return str(key).lower() == _KEY or super().__contains__(key)


if _KEY in httpx.Headers(_Carried(httpx.Headers(), "probe")):
    raise ImportError("this version of httpx would carry a token over redirects; use another one")
