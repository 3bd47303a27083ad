"""One HTTP exchange with IAM: the network, TLS, the proxy, and every limit on them.

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
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import aiohttp
from aiohttp.http import HttpProcessingError

from broker import __version__
from broker.core.errors import ConfigError, Problem
from broker.issuer import faults, payload
from broker.issuer.address import host_and_port, url_problem
from broker.issuer.headers import Headers
from broker.issuer.proxy import proxy_for

# An identity has at most an issue, a validation, a list and a look at its key in flight: none of them ever waits for
# another here.
_CONNECTIONS = 8
# Only these bodies are looked at; the others say enough by their status, and may be endless.
_READ = frozenset({200, 201, 404})
_HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "identity",
    "User-Agent": f"kakaocloud-broker/{__version__}",
}
# What a request can end in besides an answer; CancelledError is none of them.
_TROUBLE = (aiohttp.ClientError, HttpProcessingError, OSError, EOFError, ValueError)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where IAM is and how long it is waited for, in seconds."""

    url: str
    ca_file: Path | None = None  # trust this CA alone instead of the system's
    timeout: float = 10.0  # one request, from the look-up of the name to the last byte
    connect_timeout: float = 5.0
    insecure: bool = False  # allow http:// beyond loopback; certificates are verified regardless

    def __post_init__(self) -> None:
        if problem := url_problem(self.url, insecure=self.insecure):
            raise ValueError(f"iam.url {problem}")
        if not (0 < self.timeout < float("inf") and 0 < self.connect_timeout < float("inf")):
            raise ValueError("the time-outs of IAM must be more than 0 seconds and finite")
        object.__setattr__(self, "url", self.url.rstrip("/"))


@dataclass(frozen=True, slots=True, repr=False)
class Answer:
    """What came back. It has no repr: headers and body may hold a token."""

    status: int
    headers: Headers
    body: bytes


class Transport:
    """Owns the one session to IAM; an async context manager."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._where = host_and_port(endpoint.url)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Raises ConfigError when the CA file cannot be used."""
        connector = aiohttp.TCPConnector(
            ssl=tls_context(self._endpoint.ca_file), limit=_CONNECTIONS, force_close=True, use_dns_cache=False
        )
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
            raise RuntimeError("the connection to IAM is not open")
        proxy = proxy_for(url)
        try:
            async with (
                asyncio.timeout_at(until),
                self._session.request(
                    method, url, headers=headers, data=body, allow_redirects=False, proxy=proxy
                ) as response,
            ):
                return await _answer(response)
        except _TROUBLE as error:
            failure = faults.breakdown(error, self._where, proxied=proxy is not None)
        raise failure


async def _answer(response: aiohttp.ClientResponse) -> Answer:
    headers = tuple(response.headers.items())
    if response.status not in _READ:
        return Answer(response.status, headers, b"")
    return Answer(response.status, headers, payload.unfold(headers, await payload.read(response)))


def tls_context(ca_file: Path | None) -> ssl.SSLContext:
    """Verifying TLS, 1.2 or better. Raises ConfigError."""
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # an SSLError is one, for a file that is no certificate
        raise ConfigError(
            Problem(
                str(ca_file),
                f"is no usable CA file ({error.strerror or 'not PEM'})",
                "name a readable PEM file with the CA's certificate as ca_file",
            )
        ) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file is not None:
        # Python 3.13 began to refuse CAs that lack optional extensions, as homemade ones do. Whoever names the CA knows
        # it; the chain and the host's name are verified all the same.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    # SSLKEYLOGFILE would write down the keys to the connection that carries the access key.
    context.keylog_filename = None  # type: ignore[assignment]
    return context
