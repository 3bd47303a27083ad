"""Tokens for requests: `requests.get(url, auth=BrokerAuth())`.

- The token goes with the request, and with redirects within its origin; a redirect elsewhere goes without.
- After a 401 the token is reported, and the request is sent once more with another token, if there is one and the body can
  be sent again: a text, bytes, a file that can seek. The second answer is the user's, whatever it is.
"""

import contextlib
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit

from requests import PreparedRequest, RequestException, Response
from requests.auth import AuthBase
from requests.exceptions import UnrewindableBodyError
from requests.utils import rewind_body

from broker.client.asking import TIMEOUT
from broker.client.destination import HEADER, judge
from broker.client.reporter import Sent, ThreadReporter
from broker.client.token import Token
from broker.client.token_client import TokenClient

# Another form of an authority may mean one host here and another one to who connects.
_AUTHORITY = re.compile(r"[\w.-]+(:\d+)?|\[[0-9a-fA-F:.]+\](:\d+)?", re.ASCII)
_PORTS = {"https": 443, "http": 80}


class BrokerAuth(AuthBase):
    """Authenticates requests with the token of an identity; safe to share among sessions and threads.

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
        self._reporter = ThreadReporter(self._client)
        self._insecure = insecure

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Give it a token. Raises ClientError where there is none, or where it must not go."""
        to = urlsplit(request.url or "")
        judge(to.scheme, to.hostname or "", insecure=self._insecure)
        _Flight(self._reporter, request, self._client.token())
        return request


class _Flight:
    """One request and its redirects, which share its hooks."""

    def __init__(self, reporter: ThreadReporter, request: PreparedRequest, token: Token) -> None:
        self._reporter = reporter
        self._sent = self._carrying(request, token)
        request.register_hook("response", self._answered)

    def _carrying(self, request: PreparedRequest, token: Token) -> Sent:
        request.headers[HEADER] = token.value.reveal()
        return self._reporter.sent(token)

    def _answered(self, response: Response, **how: Any) -> Response:  # noqa: ANN401  (the library's own arguments)
        request = response.request
        if response.status_code == 401 and request.headers.get(HEADER) == self._sent.token.value.reveal():
            another = self._reporter.another(self._sent)
            if another is not None and _rewound(request):
                response = self._again(response, another, how)
        if response.is_redirect and not _within(response):
            request.headers.pop(HEADER, None)  # the next request is made from this one
        return response

    def _again(self, response: Response, token: Token, how: Mapping[str, Any]) -> Response:
        with contextlib.suppress(RequestException, RuntimeError):
            response.content  # noqa: B018  (read, so that its connection can serve again)
        response.close()
        request = response.request
        self._sent = self._carrying(request, token)
        repeated: Response = response.connection.send(request, **how)
        repeated.history.append(response)
        return repeated


def _rewound(request: PreparedRequest) -> bool:
    """Whether its body can be sent again, from where it began."""
    if request.body is None or isinstance(request.body, str | bytes):
        return True
    try:
        rewind_body(request)
    except UnrewindableBodyError:
        return False
    return True


def _within(response: Response) -> bool:
    """Whether a redirect stays within its origin; what is not understood does not."""
    try:
        origin = _origin(response.url)
        return origin is not None and origin == _origin(urljoin(response.url, response.headers["location"]))
    except ValueError:
        return False


def _origin(url: str) -> tuple[str, str | None, int | None] | None:
    parts = urlsplit(url)
    if not _AUTHORITY.fullmatch(parts.netloc):
        return None
    return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)
