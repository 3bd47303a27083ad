"""One GET to the broker's socket: plain HTTP by the standard library, no proxy, every wait bounded."""

import http.client
import json
import socket
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from broker.client.address import trusted_owners
from broker.client.failures import Unreachable

_UCRED = struct.Struct("3i")
# No answer of the broker is larger.
_LARGEST = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """What the broker said."""

    status: int
    body: bytes

    def tree(self) -> dict[str, Any]:
        """The JSON object that was sent. Raises Unreachable when it is none: cut short, or not from a broker."""
        try:
            tree = json.loads(self.body)
        except (ValueError, RecursionError):
            tree = None
        if not isinstance(tree, dict):
            raise Unreachable("what listens there is no broker; is KAKAOCLOUD_BROKER_URL right?")
        return tree


class _Connection(http.client.HTTPConnection):
    """HTTP over a Unix socket, to a server whose user may be trusted."""

    def __init__(self, path: Path, timeout: float, *, named: bool) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path
        self._named = named

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))
        if not self._named:
            _, uid, _ = _UCRED.unpack(
                self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
            )
            if uid not in trusted_owners(self._path):
                raise Unreachable(
                    f"{self._path} is served by uid {uid}, who is neither root, you nor its folder's owner;"
                    " if that is right, name it in KAKAOCLOUD_BROKER_URL"
                )


def get(path: Path, target: str, headers: dict[str, str], timeout: float, *, named: bool) -> Answer:
    """The broker's answer. Raises ClientError with the remedy; `timeout` is in seconds, for each step."""
    connection = _Connection(path, timeout, named=named)
    try:
        connection.request("GET", target, headers={"Metadata": "true", **headers})
        response = connection.getresponse()
        return Answer(response.status, response.read(_LARGEST))
    except TimeoutError:
        raise Unreachable(f"the broker at {path} does not answer; see `broker status` and its log") from None
    except PermissionError:
        raise Unreachable(f"you may not connect to {path}; ask for its mode or group to be changed") from None
    except (FileNotFoundError, ConnectionRefusedError):
        raise Unreachable(f"no broker is running at {path}; start it with `broker run`") from None
    except (OSError, http.client.HTTPException) as error:
        kind = type(error).__name__
        raise Unreachable(f"the broker at {path} broke off ({kind}); try again, and see its log") from None
    finally:
        connection.close()
