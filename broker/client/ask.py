"""One request to the broker, over its socket or loopback TCP: plain HTTP, a connection for each.

Rules: one deadline holds for the whole request, so that a server which sends a byte at a time holds nobody; no proxy is
asked; no redirect is followed; an unnamed socket is told nothing before its server's user is known.
"""

from __future__ import annotations

import _socket
import sys
import time

from broker.client.address import UnixAddress, trusted_owners
from broker.client.failures import Unreachable
from broker.client.reply import BEGIN, LONGEST_HEAD, Answer, Head, no_broker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from broker.client.address import Address, TcpAddress

# Between two tries at a socket whose queue is full, which the kernel does not wait for by itself.
_QUEUE_PAUSE = 0.02
_CHUNK = 65536
# struct ucred: pid, uid and gid, of four bytes each.
_UCRED, _UID = 12, slice(4, 8)


class _Cut(Exception):
    """The server closed the connection before its answer was whole."""


def get(place: Address, target: str, headers: dict[str, str], timeout: float) -> Answer:
    """The broker's answer within `timeout` seconds in all. Raises Unreachable with the remedy."""
    return _asked(place, _request(place, "GET", target, headers), timeout)


def post(place: Address, target: str, body: object, headers: dict[str, str], timeout: float) -> Answer:
    """The same for a request that sends `body` as JSON."""
    import json  # noqa: PLC0415  (what only asks needs none)

    text = json.dumps(body).encode()
    told = {"Content-Type": "application/json", "Content-Length": str(len(text)), **headers}
    return _asked(place, _request(place, "POST", target, told) + text, timeout)


def _request(place: Address, method: str, target: str, headers: dict[str, str]) -> bytes:
    """The head of a request. No part of it comes from elsewhere unread: a name is judged, a tag was printable ASCII."""
    host = "localhost" if isinstance(place, UnixAddress) else place.authority
    fields = {"Host": host, "Metadata": "true", **headers}
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {text}" for name, text in fields.items()), "", ""]
    return "\r\n".join(lines).encode("ascii")


def _asked(place: Address, request: bytes, timeout: float) -> Answer:
    until = time.monotonic() + timeout
    try:
        sock = _unix(place, until) if isinstance(place, UnixAddress) else _tcp(place, until)
        try:
            _hurry(sock, until)
            sock.sendall(request)
            return _answer(sock, until)
        finally:
            sock.close()
    except TimeoutError:
        raise Unreachable(f"the broker at {place} does not answer; see `broker status` and its log") from None
    except PermissionError:
        raise Unreachable(
            f"you may not connect to {place}; ask for its mode or group to be changed"
        ) from None
    except (FileNotFoundError, ConnectionRefusedError):
        raise Unreachable(f"no broker is running at {place}; start it with `broker run`") from None
    except (OSError, _Cut) as error:
        kind = "its answer is cut short" if isinstance(error, _Cut) else type(error).__name__
        raise Unreachable(f"the broker at {place} broke off ({kind}); try again, and see its log") from None


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
            _prove(sock, place)
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
            time.sleep(_QUEUE_PAUSE)
        else:
            return


def _prove(sock: _socket.socket, place: UnixAddress) -> None:
    """Raise Unreachable unless the server's user is one of those who may serve there."""
    told = sock.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, _UCRED)
    uid = int.from_bytes(told[_UID], sys.byteorder)
    if uid not in trusted_owners(place.path):
        raise Unreachable(
            f"{place} is served by uid {uid}, who is neither root, you nor its folder's owner;"
            " if that is right, name it in KAKAOCLOUD_BROKER_URL"
        )


def _answer(sock: _socket.socket, until: float) -> Answer:
    got = _more(sock, until)
    while (end := got.find(b"\r\n\r\n")) < 0 and len(got) <= LONGEST_HEAD:
        if not got.startswith(BEGIN[: len(got)]):
            break
        got += _more(sock, until)
    if not 0 < end <= LONGEST_HEAD:
        raise no_broker()
    head = Head(got[:end])
    body = bytearray(got[end + 4 :])
    while len(body) < head.length:
        body += _more(sock, until)
    return Answer(head.status, bytes(body[: head.length]), head.etag, head.kind)


def _more(sock: _socket.socket, until: float) -> bytes:
    _hurry(sock, until)
    got = sock.recv(_CHUNK)
    if not got:
        raise _Cut
    return got
