"""A connection that waits in the express lane for its next request.

- Its socket is the plain one beneath the library's usual one, which costs as much again when it is made and closed.
- A reader who does not read is noticed after a few answers, not after what the kernel keeps by itself, which is up to 4 MB.
"""

import _socket
import socket
from typing import Protocol

from broker.core.access import Workload
from broker.serving.allowed import NOTHING
from broker.serving.row import User
from broker.serving.throttle import Peer

KERNEL_KEEPS = 16 * 1024
# More than a request that is remembered, so that its bytes are never cut.
_AT_ONCE = 16 * 1024
NOW = socket.MSG_DONTWAIT


class Room(Protocol):
    """Where seats are, see `lane`."""

    def turn_out(self, seat: "Seat") -> None: ...


class Seat:
    """Also a guest of the crowd."""

    __slots__ = ("_room", "answers", "caller", "due", "link", "narrow", "peer", "used", "user")

    def __init__(
        self, room: Room, link: _socket.socket, caller: Workload | None, user: User, peer: Peer
    ) -> None:
        self._room = room
        self.link = link
        self.caller = caller
        self.user = user
        self.peer = peer
        self.answers = NOTHING  # see `allowed`
        self.due = 0.0  # on the loop's clock: when it is closed, unless something comes
        self.used = False  # since the crowd last looked
        self.narrow = False  # what the kernel keeps for it is bounded; one answer alone never needs that

    def make_room(self) -> None:
        """Another caller needs the place."""
        self._room.turn_out(self)


def accept(listening: socket.socket, family: int) -> _socket.socket:
    """The next who waits; as its own `accept` but for what that looks up each time. Raises OSError."""
    descriptor, _ = listening._accept()  # type: ignore[attr-defined]  # noqa: SLF001  (nothing else does less)
    return _socket.socket(family, socket.SOCK_STREAM, 0, descriptor)


def narrow(link: _socket.socket) -> None:
    """Bound what the kernel keeps for it."""
    link.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_KEEPS)


def named(link: _socket.socket) -> socket.socket:
    """The same connection as the library's usual socket; the plain one is none any more."""
    return socket.socket(fileno=link.detach())


def what_came(link: _socket.socket) -> bytes | None:
    """What can be read at once; None: nothing yet. Nothing in it: the end."""
    try:
        return link.recv(_AT_ONCE, NOW)
    except (BlockingIOError, InterruptedError):
        return None
    except OSError:  # by a reset
        return b""
