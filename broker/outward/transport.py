"""One HTTP exchange with a server beyond this host: the network, TLS, the proxy, and every limit on them.

- A connection serves one request: calls are minutes apart, and a kept connection would often be found dead by then,
  which a POST cannot tell from a lost answer.
- `trust_env` of the library is off because it would read ~/.netrc and send what it finds there; `proxy` reads the
  environment instead.
- No redirect is followed and no cookie kept: both carry a key or a token where nobody meant it to go.
- A failure is raised outside the handler of its cause, so that no chain of exceptions leads to headers or a proxy's
  password.
"""

import asyncio
import ssl
from collections.abc import Container
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import aiohttp
from aiohttp.http import HttpProcessingError

from broker import __version__
from broker.core.errors import Fault, IamError
from broker.outward import payload
from broker.outward.address import host_and_port, url_problem
from broker.outward.breakdown import breakdown
from broker.outward.headers import Headers
from broker.outward.peer import Peer
from broker.outward.proxy import proxy_for
from broker.outward.trust import tls_context

_HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "identity",
    "User-Agent": f"kakaocloud-broker/{__version__}",
}
# What a request can end in besides an answer; CancelledError is none of them.
_TROUBLE = (aiohttp.ClientError, HttpProcessingError, OSError, EOFError, ValueError)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a server is and how long it is waited for, in seconds."""

    url: str
    ca_file: Path | None = None  # trust this CA alone instead of the system's
    timeout: float = 10.0  # one request, from the look-up of the name to the last byte
    connect_timeout: float = 5.0
    insecure: bool = False  # allow http:// beyond loopback; certificates are verified regardless
    peer: Peer = field(kw_only=True)

    def __post_init__(self) -> None:
        if problem := url_problem(self.peer, self.url, insecure=self.insecure):
            raise ValueError(f"{self.peer.url} {problem}")
        if not (0 < self.timeout < float("inf") and 0 < self.connect_timeout < float("inf")):
            raise ValueError(f"the time-outs of {self.peer.name} must be more than 0 seconds and finite")
        object.__setattr__(self, "url", self.url.rstrip("/"))


@dataclass(frozen=True, slots=True, repr=False)
class Answer:
    """What came back. It has no repr: headers and body may hold a token."""

    status: int
    headers: Headers
    body: bytes


class Transport:
    """Owns the one session to a server; an async context manager."""

    def __init__(self, endpoint: Endpoint, connections: int, read: Container[int]) -> None:
        """At most so many `connections` at once: who comes then waits, within its deadline.

        Of an answer whose status is not in `read`, the body is left out.
        """
        self._endpoint = endpoint
        self._connections = connections
        self._read = read
        self._session: aiohttp.ClientSession | None = None
        self._tls: ssl.SSLContext | None = None

    async def __aenter__(self) -> Self:
        """Raises ConfigError when the CA file cannot be used."""
        if self._endpoint.ca_file is not None or _is_encrypted(self._endpoint.url):
            self._tls = tls_context(self._endpoint.ca_file)
        connector = aiohttp.TCPConnector(limit=self._connections, force_close=True, use_dns_cache=False)
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=_HEADERS,
            # The whole exchange has its deadline in `exchange`, which also counts what the library does not.
            timeout=aiohttp.ClientTimeout(total=None, connect=self._endpoint.connect_timeout),
            auto_decompress=False,
            trust_env=False,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def exchange(
        self, method: str, url: str, headers: dict[str, str], body: bytearray | None, until: float
    ) -> Answer:
        """Send one request and read the answer by `until`, a time of the event loop. Raises IamError."""
        if self._session is None:
            raise RuntimeError(f"the connection to {self._endpoint.peer.name} is not open")
        if self._session.closed:
            # Somebody had waited for a turn; the library would raise what looks like a defect.
            raise IamError(Fault.UNAVAILABLE, f"{self._endpoint.peer.name} is not asked any more; ask again")
        proxy = proxy_for(self._endpoint.peer, url)
        try:
            async with (
                asyncio.timeout_at(until),
                self._session.request(
                    method,
                    url,
                    headers=headers,
                    data=body,
                    allow_redirects=False,
                    proxy=proxy,
                    ssl=self._trust(proxy),
                ) as response,
            ):
                return await self._answer(response)
        except _TROUBLE as error:
            failure = breakdown(self._endpoint.peer, error, host_and_port(url), proxied=proxy is not None)
        raise failure

    def _trust(self, proxy: str | None) -> ssl.SSLContext | bool:
        """What the other end is verified by; True, the library's word for its own choice, where nothing is encrypted."""
        if self._tls is None and proxy is not None and _is_encrypted(proxy):
            # Plain http through an encrypted proxy: the one use of TLS that no setting tells beforehand.
            self._tls = tls_context(None)
        return self._tls or True

    async def _answer(self, response: aiohttp.ClientResponse) -> Answer:
        peer, headers = self._endpoint.peer, tuple(response.headers.items())
        # To HEAD, headers may tell of a body that does not come, packed or not.
        if response.status not in self._read or response.method == aiohttp.hdrs.METH_HEAD:
            return Answer(response.status, headers, b"")
        body = await payload.read(peer, response)
        return Answer(response.status, headers, payload.unfold(peer, headers, body))


def _is_encrypted(url: str) -> bool:
    return url.lower().startswith("https:")
