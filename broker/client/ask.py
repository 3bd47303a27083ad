"""One request to the broker, over its socket or loopback TCP: plain HTTP, a connection for each.

Rules: one deadline holds for the whole request, so that a server which sends a byte at a time holds nobody; no proxy is
asked; no redirect is followed; an unnamed socket is told nothing before its server's user is known.
"""

from __future__ import annotations

import _socket
import sys
import time

from broker.client.address import UnixAddress, trusted_owners
from broker.client.failures import Away, Unreachable
from broker.client.reply import Cut, Incoming

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import TypeVar

    from broker.client.address import Address, TcpAddress
    from broker.client.reply import Answer

    T = TypeVar("T")
    Steps = Generator["Question", Answer, T]

# Between two tries at a socket whose queue is full, which the kernel does not wait for by itself.
QUEUE_PAUSE = 0.02
CHUNK = 65536
# struct ucred: pid, uid and gid, of four bytes each.
_UCRED, _UID = 12, slice(4, 8)


class Question:
    """One request, `after` seconds from now: a GET, or a POST of `body`; answered within `timeout` seconds."""

    __slots__ = ("after", "body", "headers", "target", "timeout")

    def __init__(
        self, target: str, headers: dict[str, str], timeout: float, *, body: object = None, after: float = 0.0
    ) -> None:
        self.target = target
        self.headers = headers
        self.timeout = timeout
        self.body = body
        self.after = after


def get(place: Address, target: str, headers: dict[str, str], timeout: float) -> Answer:
    """The broker's answer within `timeout` seconds in all. Raises Unreachable with the remedy."""
    return asked(place, request(place, target, headers), timeout)


def post(place: Address, target: str, body: object, headers: dict[str, str], timeout: float) -> Answer:
    """The same for a request that sends `body` as JSON."""
    return asked(place, request(place, target, headers, body), timeout)


def request(place: Address, target: str, headers: dict[str, str], body: object = None) -> bytes:
    """A request: a GET, or a POST of `body` as JSON.

    No part of its head comes from elsewhere unread: a name is judged, a tag was printable ASCII.
    """
    method, text = "GET", b""
    if body is not None:
        import json  # noqa: PLC0415  (what only asks needs none)

        method, text = "POST", json.dumps(body).encode()
        headers = {"Content-Type": "application/json", "Content-Length": str(len(text)), **headers}
    host = "localhost" if isinstance(place, UnixAddress) else place.authority
    fields = {"Host": host, "Metadata": "true", **headers}
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
    return "\r\n".join(lines).encode("ascii") + text


def asked(place: Address, request: bytes, timeout: float) -> Answer:
    """What these bytes are answered with within `timeout` seconds in all. Raises Unreachable with the remedy."""
    until = time.monotonic() + timeout
    try:
        sock = _unix(place, until) if isinstance(place, UnixAddress) else _tcp(place, until)
        try:
            _hurry(sock, until)
            sock.sendall(request)
            return _answer(sock, until)
        finally:
            sock.close()
    except (OSError, Cut) as error:
        raise unreachable(place, error) from None


def unreachable(place: Address, error: OSError | Cut) -> Unreachable:
    """What has ended a request, as a sentence with the remedy."""
    if isinstance(error, TimeoutError):
        return Unreachable(f"the broker at {place} does not answer; see `broker status` and its log")
    if isinstance(error, PermissionError):
        return Unreachable(f"you may not connect to {place}; ask for its mode or group to be changed")
    if isinstance(error, FileNotFoundError | ConnectionRefusedError):
        return Away(f"no broker is running at {place}; start it with `broker run`")
    kind = "its answer is cut short" if isinstance(error, Cut) else type(error).__name__
    return Away(f"the broker at {place} broke off ({kind}); try again, and see its log")


def _hurry(sock: _socket.socket, until: float) -> None:
    """Give the next step what is left. Raises TimeoutError when that is nothing."""
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    sock.settimeout(left)


def _tcp(place: TcpAddress, until: float) -> _socket.socket:
    for host in place.hosts:
        sock = _socket.socket(_socket.AF_INET6 if ":" in host else _socket.AF_INET, _socket.SOCK_STREAM)
        try:
            _hurry(sock, until)
            sock.connect((host, place.port))
        except ConnectionRefusedError:
            sock.close()
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise ConnectionRefusedError


def _unix(place: UnixAddress, until: float) -> _socket.socket:
    sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        _connect(sock, place.path, until)
        if not place.named:
            prove(sock, place)
    except BaseException:
        sock.close()
        raise
    return sock


def _connect(sock: _socket.socket, path: str, until: float) -> None:
    while True:
        _hurry(sock, until)
        try:
            sock.connect(path)
        except BlockingIOError:  # many callers at once; a moment later there is room
            time.sleep(QUEUE_PAUSE)
        else:
            return


def prove(sock: _socket.socket, place: UnixAddress) -> None:
    """Raise Unreachable unless the server's user is one of those who may serve there."""
    told = sock.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, _UCRED)
    uid = int.from_bytes(told[_UID], sys.byteorder)
    if uid not in trusted_owners(place.path):
        raise Unreachable(
            f"{place} is served by uid {uid}, who is neither root, you nor its folder's owner;"
            " if that is right, name it in KAKAOCLOUD_BROKER_URL"
        )


def _answer(sock: _socket.socket, until: float) -> Answer:
    incoming = Incoming()
    while True:
        _hurry(sock, until)
        answer = incoming.feed(sock.recv(CHUNK))
        if answer is not None:
            return answer
