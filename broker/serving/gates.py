"""What a request passes before a handler sees it: the order of the gates is the security design of the edge.

Each gate looks at one thing and raises a Refusal. There are two kinds:

- *Form*, on every listener: the request is one that can be understood in one way only. What cannot be parsed at all, two
  `Host` or `Content-Length`, folded lines, NUL and other controls, never get as far: the parser refuses them.
- *Intent*: what reaches loopback without meaning to is kept out: pages in a browser (also under a name that was made to
  resolve to us), and requests that a proxy or a server was tricked into passing on. On a Unix socket neither can arrive by
  itself, yet a proxy may stand before it, whose callers are not the one whom the kernel proves.

`Metadata: true` says that whoever asks means us. AWS' SDKs cannot send it, so for S3 credentials a non-empty
`Authorization` stands for it, on that path alone and beside all other gates. What that costs:

- A page cannot send it: a script that sets it asks leave first (CORS), which nobody gives, and has an `Origin`. What a
  browser adds by itself, from an address with a user in it or from what it remembers, is of the scheme Basic.
- A server that was tricked into a request (SSRF) can more often be made to send it than a header of ours: an address like
  `http://x:y@127.0.0.1/` is enough, which libraries make into Basic. So Basic is none. Who lets strangers choose the
  whole header can send `Metadata` too.
- Its value proves nothing and is not looked at; the kernel proves the caller, and grants decide.

Which names we may be called by, and the header that says that we are meant, are asked over loopback TCP alone. A listener
beyond loopback has nothing secret, and monitors that come under any name.
"""

import re
from functools import partial

from aiohttp import HttpVersion10, HttpVersion11, hdrs, web

from broker.core.errors import Code, Refusal
from broker.serving.doorway import Gate, face_of

# The only body that is read is a report's, of a hundred bytes.
LARGEST_BODY = 16 * 1024

# Every path of ours is of these, so nothing that could be read in two ways is any: no %2F, no `\`, no `;`, no `//`.
_PATH = re.compile(r"/(?:[A-Za-z0-9._~-]+/)*[A-Za-z0-9._~-]*")
_DOTS = re.compile(r"/\.{1,2}(?:/|$)")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
# The names of loopback; an address cannot be rebound, a name can.
_LOOPBACK = re.compile(r"localhost|127(?:\.[0-9]{1,3}){3}|\[::1\]")
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~-]+)(?::[0-9]{1,5})?")
# Those of the standards, and what the common proxies and clouds add in their place.
_FORWARDED = frozenset({
    "forwarded", "forwarded-for", "via", "x-forwarded", "x-real-ip", "x-client-ip", "x-cluster-client-ip",
    "x-original-forwarded-for", "x-original-host", "true-client-ip", "cf-connecting-ip", "fastly-client-ip",
})  # fmt: skip
# AWS' SDKs can send no header of their own choice but this one, and only there.
_AWS = "/v1/identities/{name}/s3-credentials"
# What a URL's user and password, or a .netrc, become at the hand of many libraries.
_BY_ITSELF = "basic"
# What a person typed. No page is ours, so what calls itself of our origin is a page of whoever had our port before.
_NO_PAGE = "none"
_BODILESS = frozenset({hdrs.METH_GET, hdrs.METH_HEAD})
# Probes and scrapers send no header of ours; what they get is no secret.
_OPEN = frozenset({"/livez", "/readyz", "/readyz/{name}", "/metrics", "/openapi.json"})


def route_of(request: web.Request) -> str:
    """The pattern of the request's route, which is bounded as its path is not; `other` for what is no route."""
    resource = request.match_info.route.resource
    return "other" if resource is None else resource.canonical


def version(request: web.Request) -> None:
    """HTTP/1.1 or 1.0: the parser takes a line without a version, and one that claims HTTP/2, for a request too."""
    if request.version not in {HttpVersion10, HttpVersion11}:
        raise Refusal(Code.BAD_REQUEST, "speak HTTP/1.1")


def target(request: web.Request) -> None:
    """A plain path: an absolute target is meant for a proxy and names another host, `*` and host:port are for others too."""
    raw = request.raw_path
    if _SCHEME.match(raw):
        raise Refusal(Code.FORWARDED_REQUEST, "requests through a proxy are not served; ask directly")
    path = raw.partition("?")[0]
    if not _PATH.fullmatch(path) or _DOTS.search(path) or "#" in raw:
        raise Refusal(
            Code.BAD_REQUEST, "the path is none of ours; write it plainly, without escapes, dots or //"
        )


def framing(request: web.Request) -> None:
    """One way to tell where the request ends: nobody before or behind us may see another end."""
    encodings = request.headers.getall(hdrs.TRANSFER_ENCODING, [])
    if encodings and (
        [each.lower() for each in encodings] != ["chunked"] or request.version != HttpVersion11
    ):
        raise Refusal(Code.BAD_REQUEST, "send the body as it is, with Content-Length")
    if (request.content_length or 0) > LARGEST_BODY:
        raise Refusal(Code.TOO_LARGE, "the request is too large; send no body, or a small one")
    if request.method in _BODILESS and (encodings or request.content_length):
        raise Refusal(Code.BAD_REQUEST, f"{request.method} has no body; send none")


def host_form(request: web.Request) -> None:
    """At most one Host, well-formed; which name it is does not matter on a Unix socket."""
    hosts = request.headers.getall(hdrs.HOST, [])
    if len(hosts) > 1 or any(not _HOST.fullmatch(each) for each in hosts):
        raise Refusal(Code.BAD_REQUEST, "send one Host, a name or an address")


def host(request: web.Request, allowed: frozenset[str]) -> None:
    """Exactly one Host, which names loopback or is allowed: a rebound name is the page's own, not ours."""
    hosts = request.headers.getall(hdrs.HOST, [])
    match = _HOST.fullmatch(hosts[0]) if len(hosts) == 1 else None
    name = match[1].lower().removesuffix(".") if match else ""
    if name not in allowed and not _LOOPBACK.fullmatch(name):
        raise Refusal(Code.HOST_NOT_ALLOWED, "use a loopback address or a name in serving.hosts as the host")


def browser(request: web.Request) -> None:
    """Nothing that a page made a browser send."""
    sites = {site.strip().lower() for site in request.headers.getall("Sec-Fetch-Site", [])}
    if hdrs.ORIGIN in request.headers or not sites <= {_NO_PAGE}:
        raise Refusal(Code.BROWSER_REQUEST, "browsers are not served; ask from a program")


def forwarded(request: web.Request) -> None:
    """Nothing that a proxy passed on: its caller is not the one whom the kernel proves."""
    names = {name.lower() for name in request.headers}
    if names & _FORWARDED or any(name.startswith("x-forwarded-") for name in names):
        raise Refusal(Code.FORWARDED_REQUEST, "requests through a proxy are not served; ask directly")


def metadata_header(request: web.Request) -> None:
    """The header that only who means us sends: a tricked server rarely lets others choose headers."""
    if face_of(request) is not None or route_of(request) in _OPEN:
        return
    values = request.headers.getall("Metadata", [])
    if [value.strip(" \t").lower() for value in values] != ["true"]:
        if not values and _is_for_aws(request):
            return
        raise Refusal(Code.METADATA_HEADER_MISSING, "send the header `Metadata: true`")


def _is_for_aws(request: web.Request) -> bool:
    """Whether it asks for S3 credentials as AWS' SDKs do: with an `Authorization` of somebody's choice."""
    told = [value.split() for value in request.headers.getall(hdrs.AUTHORIZATION, [])]
    if route_of(request) != _AWS or len(told) != 1:
        return False
    return bool(told[0]) and told[0][0].lower() != _BY_ITSELF


_FORM = (Gate("version", version), Gate("target", target), Gate("framing", framing))
_INTENT = (Gate("browser", browser), Gate("forwarded", forwarded))

UNIX_GATES = (*_FORM, Gate("host", host_form), *_INTENT)
# Health and metrics on any other address: nothing secret has a route there.
OPEN_GATES = _FORM


def loopback_gates(hosts: frozenset[str]) -> tuple[Gate, ...]:
    """The gates of loopback TCP, in order; `hosts` are allowed beside the names of loopback."""
    named = Gate("host", partial(host, allowed=hosts))
    return (*_FORM, named, *_INTENT, Gate("metadata", metadata_header))
