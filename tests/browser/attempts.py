"""The attempts of a page of another origin: what the page is, how it asks, and the refusal that it must meet at the broker.

In every text `$port` is the broker's port on 127.0.0.1, `$port6` the one on [::1], `$evil` the evil server's, `$digest`
the hash of the token that is held: more than an attacker knows.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from string import Template

TOKEN = "http://127.0.0.1:$port/v1/token"
REJECTIONS = "http://127.0.0.1:$port/v1/identities/default/rejections"
REPORT = '{"sha256": "$digest"}'
# A form sends `field=value` as text/plain; with these two that is JSON.
FIELD, VALUE = '{"sha256": "$digest", "pad": "', '"}'

FOREIGN = "http://evil.test:$evil"
# Another port of the same host: `same-site` to a browser, and a secure context.
NEIGHBOUR = "http://127.0.0.1:$evil"

HEADER = {"headers": {"Metadata": "true"}}
OPAQUE = {"mode": "no-cors"}


@dataclass(frozen=True, slots=True)
class Attempt:
    """One way of asking; `do` is a function of `pages/`, by default the page is one that asks by being opened."""

    name: str
    do: str = ""
    orders: Mapping[str, str] = field(default_factory=dict)
    page: str = FOREIGN
    to: str = TOKEN
    refused: str = "browser_request"

    @property
    def reports(self) -> bool:
        """Whether there is a page left that can tell what it read."""
        return self.do not in {"", "gone"}

    def filled(self, **values: object) -> "Attempt":
        """The same with everything in its place."""

        def fill(text: str) -> str:
            return Template(text).substitute(values)

        orders = {name: fill(text) for name, text in {"to": self.to, **self.orders}.items()}
        return Attempt(self.name, self.do, orders, fill(self.page), orders["to"], self.refused)


def _fetch(
    name: str,
    init: object,
    do: str = "fetched",
    page: str = FOREIGN,
    to: str = TOKEN,
    refused: str = "browser_request",
) -> Attempt:
    return Attempt(name, do, {"init": json.dumps(init)}, page, to, refused)


def _element(tag: str, where: str = "src", **attributes: str) -> Attempt:
    name = " ".join([tag, *attributes.values()])
    orders = {"tag": tag, "attributes": json.dumps({**attributes, where: TOKEN})}
    return Attempt(name, "loaded", orders)


SCRIPTS = (
    _fetch("fetch with the header", HEADER),
    _fetch("fetch without the header", {}),
    _fetch("fetch with credentials", HEADER | {"credentials": "include"}),
    _fetch("opaque fetch", OPAQUE),
    _fetch("opaque fetch with the header", OPAQUE | HEADER),
    _fetch("opaque fetch without a referrer", OPAQUE | {"referrerPolicy": "no-referrer"}),
    _fetch("fetch with keepalive", HEADER | {"keepalive": True}),
    _fetch("fetch by HEAD", OPAQUE | {"method": "HEAD"}),
    _fetch("fetch by DELETE", {"method": "DELETE"}),
    _fetch("opaque report", OPAQUE | {"method": "POST", "body": REPORT}, to=REJECTIONS),
    _fetch(
        "report as JSON",
        {"method": "POST", "body": REPORT, "headers": {"Content-Type": "application/json"}},
        to=REJECTIONS,
    ),
    _fetch("fetch in a worker", OPAQUE, "inWorker"),
    _fetch("fetch in a service worker", OPAQUE, "inServiceWorker", NEIGHBOUR),
    _fetch("fetch with the header in a service worker", HEADER, "inServiceWorker", NEIGHBOUR),
    _fetch("fetch sent on by a redirect", OPAQUE, to=f"{FOREIGN}/sent-on?to={TOKEN}"),
    _fetch(
        "fetch with the header sent on by a redirect",
        HEADER,
        to=f"{NEIGHBOUR}/sent-on?to={TOKEN}",
        page=NEIGHBOUR,
    ),
    Attempt("XMLHttpRequest with the header", "xhr", {"metadata": "true"}),
    Attempt("XMLHttpRequest without the header", "xhr"),
    Attempt("EventSource", "eventSource"),
    Attempt("WebSocket", "webSocket"),
    Attempt("beacon", "beacon", {"body": REPORT}, to=REJECTIONS),
    Attempt("module", "imported"),
    Attempt("relay of a call", "relay", refused="bad_request"),
)
ELEMENTS = (
    _element("img"),
    _element("script"),
    _element("script", type="module"),
    _element("link", "href", rel="stylesheet"),
    _element("link", "href", rel="prefetch"),
    _element("link", "href", rel="preload", **{"as": "fetch"}),
    _element("iframe"),
    _element("iframe", referrerpolicy="no-referrer"),
    _element("object", "data"),
    _element("embed"),
    _element("video"),
    _element("audio", crossorigin="use-credentials"),
    Attempt("font", "font"),
    Attempt("form by GET", "form", {"method": "GET"}),
    Attempt("form by POST", "form", {"method": "POST"}),
    Attempt(
        "form that reports",
        "form",
        {"method": "POST", "enctype": "text/plain", "field": FIELD, "value": VALUE},
        to=REJECTIONS,
    ),
    Attempt("ping", "ping"),
)
PAGES = (
    Attempt("opened by its user", page=TOKEN, refused="metadata_header_missing"),
    Attempt(
        "opened by its user through a redirect",
        page=f"{FOREIGN}/sent-on?to={TOKEN}",
        refused="metadata_header_missing",
    ),
    Attempt("page that goes there", "gone"),
    Attempt("window", "openedWindow"),
    Attempt("window sent there", "sentWindow"),
    Attempt("window refreshed to there", "refreshedWindow"),
    Attempt("window through a redirect", "openedWindow", to=f"{FOREIGN}/sent-on?to={TOKEN}"),
    _fetch("page of a file", HEADER, page="file:"),
    _fetch("opaque page of a file", OPAQUE, page="file:"),
    _fetch("page of a data address", HEADER, page="data:"),
    _fetch("opaque page of a data address", OPAQUE, page="data:"),
    Attempt("frame without an origin", "sandboxed", {"inside": "fetched", "init": json.dumps(HEADER)}),
    Attempt("opaque frame without an origin", "sandboxed", {"inside": "fetched", "init": json.dumps(OPAQUE)}),
    Attempt("form of a frame without an origin", "sandboxed", {"inside": "form", "method": "POST"}),
)
SPELLINGS = (
    _fetch("another port of 127.0.0.1", HEADER, page=NEIGHBOUR),
    _fetch("opaque, another port of 127.0.0.1", OPAQUE, page=NEIGHBOUR),
    _fetch(
        "another port of localhost",
        HEADER,
        page="http://localhost:$evil",
        to="http://localhost:$port/v1/token",
    ),
    _fetch(
        "opaque, another port of localhost",
        OPAQUE,
        page="http://localhost:$evil",
        to="http://localhost:$port/v1/token",
    ),
    _fetch("[::1]", OPAQUE, to="http://[::1]:$port6/v1/token"),
    _fetch("[::1] with the header", HEADER, to="http://[::1]:$port6/v1/token"),
    _fetch("localhost with a dot", OPAQUE, to="http://LOCALHOST.:$port/v1/token"),
    _fetch(
        "a name below localhost", OPAQUE, to="http://x.localhost:$port/v1/token", refused="host_not_allowed"
    ),
    _fetch("the address of any", OPAQUE, to="http://0.0.0.0:$port/v1/token", refused="host_not_allowed"),
    _fetch("IPv4 in IPv6", OPAQUE, to="http://[::ffff:127.0.0.1]:$port/v1/token", refused="host_not_allowed"),
    _fetch("another name", OPAQUE, to="http://other.test:$port/v1/token", refused="host_not_allowed"),
    _fetch("a number", OPAQUE, to="http://2130706433:$port/v1/token"),
    Attempt("a user and a password", "openedWindow", to="http://x:y@127.0.0.1:$port/v1/token"),
    _fetch("TLS", OPAQUE, to="https://127.0.0.1:$port/v1/token", refused="bad_request"),
)
ATTEMPTS = (*SCRIPTS, *ELEMENTS, *PAGES, *SPELLINGS)
