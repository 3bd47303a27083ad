"""Which addresses a server may have that is sent a secret, and which of them a token may follow.

- https only: a key sent in clear is a key given away. Loopback is excepted, and whoever says `insecure`.
- No sentence here repeats the address: it may hold a password where none belongs.
"""

import re
from ipaddress import IPv4Network, IPv6Address, ip_address
from urllib.parse import SplitResult, urlsplit

from broker.outward.peer import Peer

_LOOPBACK_V4 = IPv4Network("127.0.0.0/8")
_LOOPBACK_V6 = IPv6Address("::1")
_PLAIN = re.compile(r"[!-\[\]-~]+")  # printable ASCII without space and backslash
_NAME = re.compile(r"[A-Za-z0-9._-]+")
_DOTS = re.compile(r"(?:\.|%2e){1,2}", re.IGNORECASE)


def is_loopback(host: str) -> bool:
    """Whether the host, as a name or a bare address, is this machine itself; anything unclear is not."""
    if host.lower() == "localhost":
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return address in _LOOPBACK_V4 or address == _LOOPBACK_V6


def url_problem(peer: Peer, url: str, *, insecure: bool) -> str | None:
    """What is wrong with an address of this peer, as a sentence that may follow its name; None when it is good."""
    parts = _split(url)
    if parts is None or parts.scheme not in {"https", "http"} or not _is_host(parts.hostname or ""):
        return f"is not an https:// address in plain ASCII; write it like {peer.example}"
    if "@" in url:  # in the path too, where a password with a slash in it puts the rest
        return "holds a user or a password; remove everything before the @"
    if "?" in url or "#" in url:
        return "holds a query or a fragment; remove everything from ? or # on"
    if _climbs(parts.path):
        return "holds a path with . or .. in it; write the path out"
    if parts.scheme == "http" and not insecure and not is_loopback(parts.hostname or ""):
        return f"would send {peer.secret} unencrypted; use https://, or set iam.insecure for a test"
    return None


def host_and_port(url: str) -> str:
    """`host:port` of a good address, for people."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{host}:{parts.port or (443 if parts.scheme == 'https' else 80)}"


def next_url(base: str, link: str) -> str | None:
    """The next page that `link` names, on the origin of `base`; None when it leads out of `base`.

    A server behind a gateway may write its inner host into links, so only path and query are taken: the token goes to
    the origin it belongs to, whatever the link says.
    """
    ours, parts = urlsplit(base), _split(link)
    if parts is None or parts.scheme not in {"", "http", "https"}:
        return None
    if not parts.path.startswith(f"{ours.path.rstrip('/')}/") or _climbs(parts.path):
        return None
    query = f"?{parts.query}" if parts.query else ""
    return f"{ours.scheme}://{ours.netloc}{parts.path}{query}"


def _split(url: str) -> SplitResult | None:
    """The parts of an address whose every character and port is sound."""
    # urlsplit drops tabs and line ends silently, and others read a backslash as a slash: such an address has two
    # readings.
    if not _PLAIN.fullmatch(url):
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    return None if port == 0 else parts


def _is_host(host: str) -> bool:
    if ":" not in host:
        return _NAME.fullmatch(host) is not None
    try:
        return ip_address(host).version == 6 and "%" not in host
    except ValueError:
        return False


def _climbs(path: str) -> bool:
    return any(_DOTS.fullmatch(segment) for segment in path.split("/"))
