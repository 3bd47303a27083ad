"""The way to IAM from here, step by step, each with its time: name, port, certificate, and one GET of its version document.

- No key and no token is sent, and nothing of a body is read: any answer of IAM shows that it can be reached.
- It is the way of this command's host and environment; a service may have other proxy variables.
- With a proxy, only the proxy knows the name and the port, so that the GET alone is tried.
"""

import asyncio
import socket
import ssl
import time
from collections.abc import Generator, Iterator
from datetime import UTC, datetime
from urllib.parse import urlsplit

from broker.core.errors import ConfigError, IamError
from broker.diagnosis.finding import Finding, failure, ok, problem, warning
from broker.issuer.endpoint import IAM, Endpoint
from broker.outward.headers import date
from broker.outward.proxy import proxy_for
from broker.outward.transport import Answer, Transport
from broker.outward.trust import tls_context
from broker.settings.tree import Iam

_STEP = 2.5  # seconds for each step
_SLOW = 2.0
_SOON = 14  # days before the end of a certificate
_SKEW = 30.0  # seconds, as the broker's own clock_skew
_DAY = 86400


def iam(one: Iam) -> Iterator[Finding]:
    """The steps up to the first that fails."""
    parts = urlsplit(one.url)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    about = f"IAM {host}"
    try:
        proxied = proxy_for(IAM, one.url) is not None
    except IamError as error:
        yield failure(about, error)
        return
    if proxied:
        yield ok(about, f"is asked through the proxy that {parts.scheme}_proxy names")
    elif not (yield from _direct(about, one, host, port)):
        return
    yield from _asked(about, one)


def _direct(about: str, one: Iam, host: str, port: int) -> Generator[Finding, None, bool]:
    """Name, port and certificate; returns whether it is worth going on."""
    began = time.monotonic()
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        says = f"its name cannot be resolved ({error.strerror})"
        yield problem(about, says, "is iam.url right, does DNS work here? See /etc/resolv.conf")
        return False
    addresses = list(dict.fromkeys(each[4][0] for each in found))
    yield ok(about, f"resolved in {_ms(began)}: {', '.join(map(str, addresses[:4]))}")
    began = time.monotonic()
    try:
        way = socket.create_connection((host, port), _STEP)
    except OSError as error:
        says = f"port {port} cannot be reached ({error.strerror or 'no answer in time'})"
        yield problem(
            about, says, "is IAM up, does a firewall stand in the way, is a proxy variable missing?"
        )
        return False
    with way:
        yield ok(about, f"port {port} connected in {_ms(began)}")
        if one.url.startswith("https:"):
            yield from _certificate(about, one, host, way)
    return True


def _certificate(about: str, one: Iam, host: str, way: socket.socket) -> Iterator[Finding]:
    """When that cannot be had, the GET that follows tells why."""
    began = time.monotonic()
    try:
        with tls_context(one.ca_file).wrap_socket(way, server_hostname=host) as secure:
            shown, version = secure.getpeercert() or {}, secure.version()
    except (OSError, ConfigError):
        return
    days = (ssl.cert_time_to_seconds(str(shown["notAfter"])) - time.time()) / _DAY
    told = f"{version} in {_ms(began)}; its certificate ends in {days:.0f} days"
    yield ok(about, told) if days > _SOON else warning(about, told, "tell whoever runs IAM")


def _asked(about: str, one: Iam) -> Iterator[Finding]:
    began, sent = time.monotonic(), datetime.now(UTC)
    try:
        answer = asyncio.run(_get(one))
    except IamError as error:
        yield failure(about, error)
        return
    except ConfigError as error:
        yield from (problem(each.where, each.what, each.remedy) for each in error.problems)
        return
    took = time.monotonic() - began
    told = f"answers with status {answer.status} in {took * 1000:.0f} ms"
    if answer.status >= 500 or answer.status == 429:
        yield warning(about, told, "tokens are served on until they end; see IAM's status page")
    elif took > _SLOW:
        yield warning(about, told, "see the way there")
    else:
        yield ok(about, told)
    theirs = date(answer.headers)
    if theirs is not None:
        # IAM tells whole seconds, and wrote them at some moment of the exchange.
        off = (sent - theirs).total_seconds() + took / 2
        told = f"this host's clock is {abs(off):.0f} s {'ahead of' if off > 0 else 'behind'} IAM's"
        yield (
            ok("clock", "agrees with IAM's")
            if abs(off) < 2
            else (
                ok("clock", told)
                if abs(off) <= _SKEW
                else warning("clock", told, "mend NTP here; tokens do not suffer")
            )
        )


async def _get(one: Iam) -> Answer:
    where = Endpoint(one.url, one.ca_file, timeout=_STEP, connect_timeout=_STEP, insecure=one.insecure)
    async with Transport(where, 1, ()) as transport:
        until = asyncio.get_running_loop().time() + _STEP
        return await transport.exchange("GET", where.url, {}, None, until)


def _ms(began: float) -> str:
    return f"{(time.monotonic() - began) * 1000:.0f} ms"
