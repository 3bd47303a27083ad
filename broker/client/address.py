"""Where the broker is, for a client: KAKAOCLOUD_BROKER_URL, else the first usual socket that exists.

Rules: there is never a silent fall-back to TCP, where anybody may have taken the port; TCP that is asked for stays on this
host, so a token never crosses a network; a bad name is told without repeating it, since it may hold a password.
"""

from __future__ import annotations

import _socket
import os

from broker.client.failures import Away, BadAddress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

VARIABLE = "KAKAOCLOUD_BROKER_URL"
SYSTEM_SOCKET = "/run/kakaocloud-broker/broker.sock"
_SESSION_SOCKET = "kakaocloud-broker/broker.sock"
_UNIX, _HTTP = "unix://", "http://"
# sun_path has 108 bytes, the last of them zero.
_LONGEST = 107
_UNREADABLE = "its host or port cannot be read"


class UnixAddress:
    """A socket in the file system; whoever `named` it has looked who serves there, whoever found it has not."""

    __slots__ = ("named", "path")

    def __init__(self, path: str, *, named: bool) -> None:
        self.path = path
        self.named = named

    def __str__(self) -> str:
        return self.path


class TcpAddress:
    """A port of this host. `localhost` is never looked up: it is 127.0.0.1, else ::1."""

    __slots__ = ("host", "port")

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self.port = port

    @property
    def hosts(self) -> tuple[str, ...]:
        """The addresses to try, in order."""
        return ("127.0.0.1", "::1") if self.host == "localhost" else (self.host,)

    @property
    def authority(self) -> str:
        """Host and port as a URL and the header `Host` have them."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def __str__(self) -> str:
        return _HTTP + self.authority


Address = UnixAddress | TcpAddress


def find(environ: Mapping[str, str], system_socket: str = SYSTEM_SOCKET) -> Address:
    """Where the broker is. Raises Away, or BadAddress where the user named no possible place."""
    if named := environ.get(VARIABLE):
        return _named(named)
    usual = [system_socket]
    if runtime := environ.get("XDG_RUNTIME_DIR"):
        usual.append(os.path.join(runtime, _SESSION_SOCKET))  # noqa: PTH118  (pathlib takes milliseconds to load)
    for path in usual:
        if os.path.exists(path):  # noqa: PTH110  (the same; a folder that we may not enter has nothing for us)
            return UnixAddress(path, named=False)
    places = " or ".join(usual)
    raise Away(f"no broker is running (there is no {places}); start it with `broker run`, or set {VARIABLE}")


def trusted_owners(path: str) -> frozenset[int]:
    """The uids that may serve an unnamed socket: root, ourselves, and whoever owns its folder."""
    folder = os.path.dirname(path)  # noqa: PTH120  (the same)
    return frozenset({0, os.getuid(), os.stat(folder).st_uid})  # noqa: PTH116


def _named(url: str) -> Address:
    if url.startswith(_UNIX):
        return _unix(url.removeprefix(_UNIX))
    if url.startswith(_HTTP):
        return _tcp(url.removeprefix(_HTTP))
    raise _bad("it is neither")


def _unix(place: str) -> UnixAddress:
    if not place.startswith("/"):
        raise _bad("its path is not absolute")
    if len(os.fsencode(place)) > _LONGEST:
        raise BadAddress(f"{VARIABLE} names a path of more than {_LONGEST} bytes, which no socket can have")
    return UnixAddress(place, named=True)


def _tcp(rest: str) -> TcpAddress:
    """The host and the port of what stands behind `http://`, and nothing else may stand there."""
    authority, _, more = rest.partition("/")
    if "@" in authority:
        raise _bad("it holds a user name or password, which the broker has no use for")
    if more or "?" in authority or "#" in authority:
        raise _bad("it goes on after the port")
    host, port = _parts(authority)
    if not is_loopback(host):
        raise _bad("its host is not this one")
    if not port:
        raise _bad("port 0 is none")
    return TcpAddress(host, port)


def _parts(authority: str) -> tuple[str, int]:
    if authority.startswith("["):
        host, bracket, port = authority[1:].partition("]")
        if not bracket or ":" not in host or port[:1] not in {"", ":"}:
            raise _bad(_UNREADABLE)
        port = port[1:]
    else:
        host, _, port = authority.partition(":")
    if not port:
        return host.lower(), 80
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and int(port) < 1 << 16):
        raise _bad(_UNREADABLE)
    return host.lower(), int(port)


def is_loopback(host: str) -> bool:
    """Whether it is an address of loopback in full, as RFC 6890 and 4291 give them, or `localhost`."""
    if host == "localhost":
        return True
    try:
        if ":" in host:
            return _socket.inet_pton(_socket.AF_INET6, host) == bytes(15) + b"\1"
        return _socket.inet_pton(_socket.AF_INET, host)[0] == 127
    except (OSError, ValueError):
        return False


def _bad(problem: str) -> BadAddress:
    return BadAddress(
        f"{VARIABLE} must be unix:///PATH or http://127.0.0.1:PORT (also [::1] or localhost); {problem}"
    )
