"""The gates over requests of any text: what passes can be read in one way only, and is meant for us."""

import posixpath
import string
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from types import SimpleNamespace
from typing import cast
from urllib.parse import unquote, urlsplit

import pytest
from aiohttp import HttpVersion, HttpVersion10, HttpVersion11, web
from hypothesis import assume, example, given
from hypothesis import strategies as st
from multidict import CIMultiDict

from broker.core.errors import Refusal
from broker.serving.doorway import DOORWAY, Doorway, Gate, Serve
from broker.serving.gates import OPEN_GATES, UNIX_GATES, loopback_gates

ALLOWED = frozenset({"broker.internal"})
LOOPBACK_GATES = loopback_gates(ALLOWED)
EVERY = (*OPEN_GATES, *UNIX_GATES, *LOOPBACK_GATES)
Fields = tuple[tuple[str, str], ...]
HONEST: Fields = (("Host", "localhost"), ("Metadata", "true"))


@dataclass(frozen=True)
class Asked:
    """What gates look at in a request."""

    method: str = "GET"
    raw_path: str = "/v1/token"
    version: HttpVersion = HttpVersion11
    fields: Fields = HONEST
    content_length: int | None = None
    match_info: object = field(
        default_factory=lambda: SimpleNamespace(
            route=SimpleNamespace(resource=SimpleNamespace(canonical="/v1/token"))
        )
    )

    @property
    def path(self) -> str:
        return self.raw_path.partition("?")[0]

    @property
    def app(self) -> object:
        return {DOORWAY: Doorway("a listener", frozenset(Serve), (), lambda _: None)}

    @property
    def headers(self) -> CIMultiDict[str]:
        return CIMultiDict(self.fields)

    def passes(self, gates: Sequence[Gate]) -> bool:
        return self.refusal(gates) is None

    def refusal(self, gates: Sequence[Gate]) -> Refusal | None:
        for gate in gates:
            try:
                gate.check(cast("web.Request", self))
            except Refusal as refusal:
                return refusal
        return None


# As the parser gives them: bytes that are no UTF-8 come as surrogates.
text = st.text(st.characters(codec="utf-8") | st.integers(0xDC80, 0xDCFF).map(chr), max_size=40)
printable = st.text(string.printable, max_size=40)
known_names = st.sampled_from(
    [
        "Host",
        "Metadata",
        "METADATA",
        "Origin",
        "Sec-Fetch-Site",
        "Forwarded",
        "Via",
        "X-Real-IP",
        "X-Forwarded-For",
        "x-forwarded-",
        "Transfer-Encoding",
        "Content-Length",
        "Connection",
        "Accept",
    ]
)
known_values = st.sampled_from(
    ["localhost", "true", "chunked", "none", "same-origin", "", "127.0.0.1:1", "[::1]"]
)
fields = st.lists(st.tuples(known_names | text, known_values | text), max_size=6).map(tuple)
versions = st.sampled_from([HttpVersion10, HttpVersion11, HttpVersion(0, 9), HttpVersion(2, 0)])
segments = st.sampled_from(
    ["v1", "token", "~", ".", "..", "...", "", "%2e", "a;b", "\\", "\u00e9", "\udcff", "http:"]
)
queries = st.sampled_from(["", "?a", "?a=%2e%2e/", "?", "?a#b", "#b"])
paths = st.builds(lambda parts, query: "/" + "/".join(parts) + query, st.lists(segments, max_size=3), queries)
targets = st.just("/v1/token") | paths | text
methods = st.sampled_from(["GET", "HEAD", "POST", "CONNECT"])
lengths = st.none() | st.integers(0, 2**70)
asked = st.builds(Asked, methods, targets, versions, st.just(HONEST) | fields, lengths)


@given(request=asked)
def test_any_request_passes_or_is_refused_without_a_word_of_it(request: Asked) -> None:
    """No gate raises anything but a refusal, and none repeats what was sent."""
    for gate in EVERY:
        refusal = request.refusal([gate])
        for sent in (request.raw_path, *(value for _, value in request.fields)):
            assert refusal is None or len(sent) < 9 or sent not in refusal.detail


@given(request=asked)
def test_what_passes_over_tcp_passes_on_the_socket(request: Asked) -> None:
    if request.passes(LOOPBACK_GATES):
        assert request.passes(UNIX_GATES)
        assert request.passes(OPEN_GATES)


@given(request=asked, order=st.randoms())
def test_neither_the_order_of_fields_nor_the_case_of_names_matters(request: Asked, order) -> None:
    shuffled = [(name.swapcase(), value) for name, value in request.fields if name.isascii()]
    assume(len(shuffled) == len(request.fields))
    order.shuffle(shuffled)
    for gates in (UNIX_GATES, LOOPBACK_GATES):
        assert replace(request, fields=tuple(shuffled)).passes(gates) == request.passes(gates)


@given(target=targets)
def test_a_path_that_passes_stays_what_it_is_decoded_and_normalised(target: str) -> None:
    """Whoever reads it, however often: it names one thing."""
    if not Asked(raw_path=target).passes(UNIX_GATES):
        return
    path = target.partition("?")[0]
    assume(path)  # the parser takes no empty one
    assert path.startswith("/")
    assert unquote(path) == path
    assert posixpath.normpath(path) == path.rstrip("/") or path == "/"
    assert urlsplit(f"http://localhost{target}").path == path
    assert urlsplit(f"http://localhost{target}").fragment == ""


hosts = st.lists(
    st.sampled_from(
        [
            "localhost",
            "LOCALHOST",
            "127.0.0.1",
            "127.",
            "0",
            "80",
            "1",
            ".",
            ":",
            "[",
            "]",
            "::1",
            "::ffff:",
            "@",
            "#",
            "/",
            ",",
            "%",
            "x",
            "evil.example",
            "broker.internal",
        ]
    )
    | st.sampled_from(" \t\u0661"),
    max_size=6,
).map("".join)


@given(host=hosts | printable)
@example(host="127.0.0.1")
@example(host="[::1]:80")
@example(host="Broker.Internal.:1")
def test_a_host_that_passes_is_loopback_or_allowed_for_whoever_else_reads_it(host: str) -> None:
    if not Asked(fields=(("Host", host), ("Metadata", "true"))).passes(LOOPBACK_GATES):
        return
    read = urlsplit(f"http://{host}/")
    name = (read.hostname or "").removesuffix(".")
    assert read.username is None
    assert name in {"localhost", *ALLOWED} or _leads_nowhere_else(name)


def _leads_nowhere_else(name: str) -> bool:
    """A loopback address, or digits and dots that no resolver takes for a name of somebody."""
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return name.startswith("127.") and set(name) <= set(string.digits + ".")


@given(extra=fields, value=text)
def test_nothing_that_is_added_makes_a_page_welcome(extra: Fields, value: str) -> None:
    for mark in (("Origin", value), ("oRIGIN", value)):
        assert not Asked(fields=(*HONEST, mark, *extra)).passes(UNIX_GATES)
    if value.strip().lower() != "none":
        assert not Asked(fields=(*HONEST, *extra, ("Sec-Fetch-Site", value))).passes(UNIX_GATES)


@given(
    extra=fields, name=st.sampled_from(["Forwarded", "VIA", "x-real-ip"]) | text.map("X-Forwarded-{}".format)
)
def test_nothing_that_is_added_makes_a_proxy_welcome(extra: Fields, name: str) -> None:
    assert not Asked(fields=(*HONEST, (name, ""), *extra)).passes(UNIX_GATES)


@given(values=st.lists(known_values | text, max_size=3))
def test_over_tcp_there_is_one_metadata_header_and_it_says_true(values: list[str]) -> None:
    request = Asked(fields=(HONEST[0], *(("Metadata", value) for value in values)))
    assert request.passes(LOOPBACK_GATES) == ([value.strip().lower() for value in values] == ["true"])


@pytest.mark.parametrize("gates", [OPEN_GATES, UNIX_GATES, LOOPBACK_GATES])
@given(
    request=asked,
    codings=st.lists(st.sampled_from(["chunked", "Chunked", "gzip", "", "chunked "]), max_size=2),
)
def test_a_body_that_passes_has_one_end(gates: Sequence[Gate], request: Asked, codings: list[str]) -> None:
    coded = tuple(("Transfer-Encoding", coding) for coding in codings)
    request = replace(request, fields=(*request.fields, *coded))
    if request.passes(gates):
        found = request.headers.getall("Transfer-Encoding", [])
        assert [each.lower() for each in found] in ([], ["chunked"])
        assert not found or request.version == HttpVersion11
        assert (request.content_length or 0) <= 16 * 1024
        assert request.method in {"POST", "CONNECT"} or not (found or request.content_length)
