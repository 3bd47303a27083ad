"""What a request passes on loopback TCP before a handler sees it: GATES is the order, and the security design.

Each gate looks at one thing and raises a Refusal. They keep out what reaches loopback without meaning to: pages in a
browser (also under a name that was made to resolve to us), and requests that a proxy or a server was tricked into
passing on. On a Unix socket none of these can arrive, so none of these is asked.
"""

import re
from collections.abc import Callable
from functools import partial

from aiohttp import web

from broker.core.errors import Code, Refusal
from broker.serving.doorway import Gate

# The names of loopback; an address cannot be rebound, a name can.
_LOOPBACK = re.compile(r"localhost|127(?:\.[0-9]{1,3}){3}|\[::1\]")
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]]+)(?::[0-9]{1,5})?")
_FORWARDED = ("Forwarded", "Via", "X-Real-IP")
_SAME_SITE = frozenset({"none", "same-origin"})
# Probes and scrapers send no header of ours; what they get is no secret.
_OPEN = frozenset({"/livez", "/readyz", "/readyz/{name}", "/metrics", "/openapi.json"})


def route_of(request: web.Request) -> str:
    """The pattern of the request's route, which is bounded as its path is not; `other` for what is no route."""
    resource = request.match_info.route.resource
    return "other" if resource is None else resource.canonical


def host(request: web.Request, allowed: frozenset[str]) -> None:
    """Exactly one Host, which names loopback or is allowed: a rebound name is the page's own, not ours."""
    hosts = request.headers.getall("Host", [])
    match = _HOST.fullmatch(hosts[0]) if len(hosts) == 1 else None
    name = match[1].lower().removesuffix(".") if match else ""
    if name not in allowed and not _LOOPBACK.fullmatch(name):
        raise Refusal(Code.HOST_NOT_ALLOWED, "use a loopback address or a name in serving.hosts as the host")


def browser(request: web.Request) -> None:
    """Nothing that a page made a browser send."""
    sites = {site.strip().lower() for site in request.headers.getall("Sec-Fetch-Site", [])}
    if "Origin" in request.headers or not sites <= _SAME_SITE:
        raise Refusal(Code.BROWSER_REQUEST, "browsers are not served; ask from a program")


def forwarded(request: web.Request) -> None:
    """Nothing that a proxy passed on: its caller is not the one whom the kernel proves."""
    if (
        any(name in request.headers for name in _FORWARDED)
        or any(name.lower().startswith("x-forwarded-") for name in request.headers)
        or not request.raw_path.startswith(
            "/"
        )  # an absolute target is meant for a proxy, and names another host
    ):
        raise Refusal(Code.FORWARDED_REQUEST, "requests through a proxy are not served; ask directly")


def metadata_header(request: web.Request) -> None:
    """The header that only who means us sends: a tricked server rarely lets others choose headers."""
    values = request.headers.getall("Metadata", [])
    if route_of(request) not in _OPEN and [value.strip().lower() for value in values] != ["true"]:
        raise Refusal(Code.METADATA_HEADER_MISSING, "send the header `Metadata: true`")


def loopback_gates(hosts: frozenset[str]) -> tuple[Gate, ...]:
    """The gates of loopback TCP, in order; `hosts` are allowed beside the names of loopback."""
    named: Callable[[web.Request], None] = partial(host, allowed=hosts)
    return (named, browser, forwarded, metadata_header)
