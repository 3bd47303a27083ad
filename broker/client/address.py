"""Where the broker is, for a client: KAKAOCLOUD_BROKER_URL, else the first usual socket that exists.

Rules: there is never a silent fall-back to TCP, where anybody may have taken the port; TCP that is asked for stays on this
host, so a token never crosses a network; a bad name is told without repeating it, since it may hold a password.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from broker.client.failures import BadAddress, Unreachable

VARIABLE = "KAKAOCLOUD_BROKER_URL"
SYSTEM_SOCKET = Path("/run/kakaocloud-broker/broker.sock")
_UNIX, _HTTP = "unix://", "http://"
# sun_path has 108 bytes, the last of them zero.
_LONGEST = 107


@dataclass(frozen=True, slots=True)
class UnixAddress:
    """A socket in the file system; whoever `named` it has looked who serves there, whoever found it has not."""

    path: Path
    named: bool

    def __str__(self) -> str:
        return str(self.path)


@dataclass(frozen=True, slots=True)
class TcpAddress:
    """A port of this host. `localhost` is never looked up: it is 127.0.0.1, else ::1."""

    host: str
    port: int

    @property
    def hosts(self) -> tuple[str, ...]:
        """The addresses to try, in order."""
        return ("127.0.0.1", "::1") if self.host == "localhost" else (self.host,)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{_HTTP}{host}:{self.port}"


Address = UnixAddress | TcpAddress


def find(environ: Mapping[str, str], system_socket: Path = SYSTEM_SOCKET) -> Address:
    """Where the broker is. Raises Unreachable, or BadAddress where the user named no possible place."""
    if named := environ.get(VARIABLE):
        return _named(named)
    usual = [system_socket]
    if runtime := environ.get("XDG_RUNTIME_DIR"):
        usual.append(Path(runtime) / "kakaocloud-broker/broker.sock")
    for path in usual:
        if _is_there(path):
            return UnixAddress(path, named=False)
    places = " or ".join(str(path) for path in usual)
    raise Unreachable(
        f"no broker is running (there is no {places}); start it with `broker run`, or set {VARIABLE}"
    )


def trusted_owners(path: Path) -> frozenset[int]:
    """The uids that may serve an unnamed socket: root, ourselves, and whoever owns its folder."""
    return frozenset({0, os.getuid(), path.parent.stat().st_uid})


def _named(url: str) -> Address:
    if url.startswith(_UNIX):
        return _unix(url.removeprefix(_UNIX))
    if url.startswith(_HTTP):
        return _tcp(url)
    raise _bad("it is neither")


def _unix(place: str) -> UnixAddress:
    if not place.startswith("/"):
        raise _bad("its path is not absolute")
    if len(os.fsencode(place)) > _LONGEST:
        raise BadAddress(f"{VARIABLE} names a path of more than {_LONGEST} bytes, which no socket can have")
    return UnixAddress(Path(place), named=True)


def _tcp(url: str) -> TcpAddress:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", 80 if parts.port is None else parts.port
    except ValueError:
        raise _bad("its host or port cannot be read") from None
    if problem := _problem(parts, host, port):
        raise _bad(problem)
    return TcpAddress(host, port)


def _problem(parts: SplitResult, host: str, port: int) -> str | None:
    if "@" in parts.netloc:
        return "it holds a user name or password, which the broker has no use for"
    if parts.path not in {"", "/"} or parts.query or parts.fragment:
        return "it goes on after the port"
    if not _is_loopback(host):
        return "its host is not this one"
    return None if port else "port 0 is none"


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _bad(problem: str) -> BadAddress:
    return BadAddress(
        f"{VARIABLE} must be unix:///PATH or http://127.0.0.1:PORT (also [::1] or localhost); {problem}"
    )


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a folder that we may not enter is not ours to use
        return False
