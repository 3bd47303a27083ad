"""Tokens for aiohttp 3.12 and newer: `aiohttp.ClientSession(middlewares=[broker_middleware])`.

- The token goes with the request, and with redirects within its origin; a redirect elsewhere, and what follows it, goes without.
- After a 401 the token is reported, and the request is sent once more with another token, if there is one and the body can
  be sent again: all but iterators, streams and files that cannot seek. The second answer is the user's, whatever it is.
"""

from contextvars import ContextVar

from aiohttp import ClientHandlerType, ClientRequest, ClientResponse
from yarl import URL

from broker.client.asking import TIMEOUT
from broker.client.async_token_client import AsyncTokenClient
from broker.client.destination import HEADER, judge
from broker.client.task_reporter import TaskReporter


class BrokerMiddleware:
    """Authenticates requests with the token of an identity; safe to share among sessions, tasks and loops.

    `identity`, `url` and `timeout` are those of AsyncTokenClient; with `insecure` a token may go over plain http to other hosts.
    """

    def __init__(
        self,
        identity: str | None = None,
        *,
        url: str | None = None,
        timeout: float = TIMEOUT,
        insecure: bool = False,
    ) -> None:
        self._client = AsyncTokenClient(identity, url=url, timeout=timeout)
        self._reporter = TaskReporter(self._client)
        self._insecure = insecure

    async def __call__(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        """Raises ClientError where there is no token, or where it must not go."""
        if not _within(request):
            request.headers.popall(HEADER, None)
            return await handler(request)
        judge(request.url.scheme, request.url.host or "", insecure=self._insecure)
        sent = self._reporter.sent(await self._client.token())
        request.headers[HEADER] = sent.token.value.reveal()
        response = await handler(request)
        if response.status != 401:
            return response
        try:
            another = await self._reporter.another(sent)
        except BaseException:
            response.close()
            raise
        if another is None or not _is_whole(request):
            return response
        response.close()
        await request.close()  # what was still being written has an end now
        request.headers[HEADER] = another.value.reveal()
        return await handler(request)


class _Call:
    """One call of a session, with its redirects: they have its timer in common, and the context of its task."""

    def __init__(self, timer: object, origin: URL) -> None:
        self.timer = timer
        self.origin = origin
        self.left = False


_CALL: ContextVar[_Call | None] = ContextVar("broker_call", default=None)


def _within(request: ClientRequest) -> bool:
    """Whether all of its call so far has stayed within the origin that it began with."""
    timer, origin, call = request._timer, request.url.origin(), _CALL.get()  # noqa: SLF001
    if call is None or call.timer is not timer:
        call = _Call(timer, origin)
        _CALL.set(call)
    call.left = call.left or origin != call.origin
    return not call.left


def _is_whole(request: ClientRequest) -> bool:
    """Whether its body can be sent again."""
    return not request.body or not request.body.consumed


broker_middleware = BrokerMiddleware()
"""For the identity `default`, or the only one: a middleware as it is."""
