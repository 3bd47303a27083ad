"""One request to the broker, over its socket or loopback TCP: plain HTTP by the standard library.

Rules: one deadline holds for the whole request, so that a server which sends a byte at a time holds nobody; no proxy is
asked; no redirect is followed; an unnamed socket is told nothing before its server's user is known.
"""

import http.client
import json
import socket
import struct
import time
from dataclasses import dataclass
from typing import Any

from broker.client.address import Address, UnixAddress, trusted_owners
from broker.client.failures import Unreachable

_UCRED = struct.Struct("3i")
# No answer of the broker is larger.
_LARGEST = 8 * 1024 * 1024
# Between two tries at a socket whose queue is full, which the kernel does not wait for by itself.
_QUEUE_PAUSE = 0.02


@dataclass(frozen=True, slots=True)
class Answer:
    """What the broker said."""

    status: int
    body: bytes
    etag: str | None = None

    def tree(self) -> dict[str, Any]:
        """The JSON object that was sent. Raises Unreachable when it is none: cut short, or not from a broker."""
        try:
            tree = json.loads(self.body)
        except (ValueError, RecursionError):
            tree = None
        if not isinstance(tree, dict):
            raise Unreachable("what listens there is no broker; is KAKAOCLOUD_BROKER_URL right?")
        return tree


class _Socket(socket.socket):
    """A socket each of whose steps has only what is left until one deadline; these steps are all that is used here."""

    def __init__(self, family: int, until: float) -> None:
        super().__init__(family, socket.SOCK_STREAM)
        self._until = until

    def hurry(self) -> None:
        """Give the next step what is left. Raises TimeoutError when that is nothing."""
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self.settimeout(left)

    def recv_into(self, *args: Any, **more: Any) -> int:  # noqa: ANN401  (passed on as it is)
        self.hurry()
        return super().recv_into(*args, **more)

    def sendall(self, *args: Any, **more: Any) -> None:  # noqa: ANN401
        self.hurry()
        super().sendall(*args, **more)


class _Connection(http.client.HTTPConnection):
    """HTTP to a broker, whose server's user may be trusted."""

    def __init__(self, place: Address, until: float) -> None:
        if isinstance(place, UnixAddress):
            super().__init__("localhost")
        else:
            super().__init__(place.host, place.port)
        self._place = place
        self._until = until

    def connect(self) -> None:
        place = self._place
        if isinstance(place, UnixAddress):
            self._unix(place)
            return
        for host in place.hosts:
            try:
                self.sock = _Socket(socket.AF_INET6 if ":" in host else socket.AF_INET, self._until)
                self.sock.hurry()
                self.sock.connect((host, place.port))
            except ConnectionRefusedError:
                self.sock.close()
                if host == place.hosts[-1]:
                    raise
            else:
                return

    def _unix(self, place: UnixAddress) -> None:
        self.sock = sock = _Socket(socket.AF_UNIX, self._until)
        while True:
            sock.hurry()
            try:
                sock.connect(str(place.path))
                break
            except BlockingIOError:  # many callers at once; a moment later there is room
                time.sleep(_QUEUE_PAUSE)
        if not place.named:
            _, uid, _ = _UCRED.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
            if uid not in trusted_owners(place.path):
                raise Unreachable(
                    f"{place} is served by uid {uid}, who is neither root, you nor its folder's owner;"
                    " if that is right, name it in KAKAOCLOUD_BROKER_URL"
                )


def get(place: Address, target: str, headers: dict[str, str], timeout: float) -> Answer:
    """The broker's answer within `timeout` seconds in all. Raises Unreachable with the remedy."""
    return _asked(place, "GET", target, None, headers, timeout)


def post(place: Address, target: str, body: object, headers: dict[str, str], timeout: float) -> Answer:
    """The same for a request that sends `body` as JSON."""
    text = json.dumps(body).encode()
    return _asked(place, "POST", target, text, {"Content-Type": "application/json", **headers}, timeout)


def _asked(
    place: Address, method: str, target: str, body: bytes | None, headers: dict[str, str], timeout: float
) -> Answer:
    connection = _Connection(place, time.monotonic() + timeout)
    try:
        connection.request(method, target, body, {"Metadata": "true", **headers})
        response = connection.getresponse()
        return Answer(response.status, response.read(_LARGEST), response.getheader("ETag"))
    except TimeoutError:
        raise Unreachable(f"the broker at {place} does not answer; see `broker status` and its log") from None
    except PermissionError:
        raise Unreachable(
            f"you may not connect to {place}; ask for its mode or group to be changed"
        ) from None
    except (FileNotFoundError, ConnectionRefusedError):
        raise Unreachable(f"no broker is running at {place}; start it with `broker run`") from None
    except (OSError, http.client.HTTPException) as error:
        kind = type(error).__name__
        raise Unreachable(f"the broker at {place} broke off ({kind}); try again, and see its log") from None
    finally:
        connection.close()
