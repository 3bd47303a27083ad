"""Who is on the other end of a loopback TCP connection: the owner of the client's socket, as the kernel knows it.

- One look-up per connection, when it is accepted. The owner is the user who made the socket.
- The answer counts only if it is about the very socket: both addresses and both ports as asked. Without that socket the
  kernel tells of a *listener* on the same port, which may be root's while the client is somebody else.
- It counts only if a process still holds the socket. After `close` the kernel gives inode 0 and uid 0: not root, nobody.
- It counts only if the client can still read an answer, and if our own end still lives *after* the look-up: ports are
  used again, so the request of a client that reset its connection could else be taken for that of the port's next user.
- Both ends are loopback addresses: only there is the client's socket in our network namespace.
- In a user namespace that does not map every user, the overflow uid stands for all users it lacks, so it proves none. In
  one that maps all, such as the host's own, it is the user `nobody` and counts as any other.
- What cannot be proven is None, never a guess.
"""

import contextlib
import errno
import os
import socket
from collections.abc import Iterator
from typing import Protocol

from broker.callers.sock_diag import Answer, End, Lookup, end_of

# TCP states as the kernel numbers them.
_ESTABLISHED, _FIN_WAIT1, _FIN_WAIT2, _CLOSE_WAIT = 1, 4, 5, 8
# A client that has shut down its sending half still reads. CLOSE_WAIT is missing: there it is *we* who have ended.
_CLIENT_READS = frozenset({_ESTABLISHED, _FIN_WAIT1, _FIN_WAIT2})
_WE_CAN_ANSWER = frozenset({_ESTABLISHED, _CLOSE_WAIT})

_SELF_TEST_SECONDS = 1.0
_SELF_TEST_BACKLOG = 16

_REMEDIES = {
    errno.EPROTONOSUPPORT: "the kernel is built without INET_DIAG",
    errno.EAFNOSUPPORT: "netlink is forbidden here; a systemd service needs AF_NETLINK in RestrictAddressFamilies",
    errno.EPERM: "netlink is forbidden here, by a seccomp filter or a security module",
    errno.EACCES: "netlink is forbidden here, by a seccomp filter or a security module",
}


class Connection(Protocol):
    """An accepted socket, or what asyncio shows of one."""

    def getsockname(self) -> object: ...
    def getpeername(self) -> object: ...
    def getsockopt(self, level: int, option: int, buflen: int, /) -> bytes: ...


class TcpProver:
    """Proves callers with what `lookup` finds."""

    def __init__(self, lookup: Lookup, ambiguous: int | None) -> None:
        """`ambiguous` is the uid that proves nobody, see `ambiguous_uid`."""
        self._lookup = lookup
        self._ambiguous = ambiguous

    def prove(self, connection: Connection, ours: End | None = None) -> int | None:
        """The uid of the proven caller, or None: then nobody is assumed.

        `ours` is our end of all connections of a listener that is bound to one address; without it, it is asked for.
        """
        try:
            client, ours = end_of(connection.getpeername()), ours or end_of(connection.getsockname())
            if client is None or ours is None:
                return None
            uid = self.owner(client, ours)
            state = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
        except OSError:
            return None
        return uid if state in _WE_CAN_ANSWER else None

    def owner(self, client: End, ours: End) -> int | None:
        """The uid that holds the client's socket, None where there is no such socket. Raises OSError."""
        if not (client.is_loopback and ours.is_loopback):
            return None
        return self._judge(self._lookup.find(client, ours), client, ours)

    def _judge(self, found: Answer | None, client: End, ours: End) -> int | None:
        if found is None or (found.own, found.other) != (client, ours):
            return None
        if found.inode == 0 or found.state not in _CLIENT_READS or found.uid == self._ambiguous:
            return None
        return found.uid

    def self_test(self, host: str) -> str | None:
        """None if callers that connect to `host` can be proven here, else one sentence that says why not."""
        reason = self._reason(host)
        return reason and f"callers over TCP to {host} cannot be proven: {reason}"

    def _reason(self, host: str) -> str | None:
        if os.geteuid() == self._ambiguous:
            return "this user is not one of its user namespace, or not to be told from those who are not"
        try:
            with _own_connection(host) as (listener, client, connection):
                return self._trial(listener, client, connection)
        except OSError as error:
            return _REMEDIES.get(error.errno or 0) or error.strerror or str(error)

    def _trial(self, listener: socket.socket, client: socket.socket, connection: socket.socket) -> str | None:
        theirs, ours = end_of(connection.getpeername()), end_of(connection.getsockname())
        if theirs is None or ours is None or not (theirs.is_loopback and ours.is_loopback):
            return "it is no loopback address"
        uid = self.owner(theirs, ours)  # not `prove`, which would hide the error
        if uid is None:
            return "the kernel does not find our own connection (is its module tcp_diag missing?)"
        if uid != os.geteuid() or self.prove(connection) != uid:
            return f"the kernel takes our own connection for that of uid {uid}"
        # The two cases in which the kernel names a user who is not the caller.
        bound = end_of(listener.getsockname())
        if bound is None or self.owner(bound, End(bound.address, 0)) is not None:
            return "a listener's owner is taken for a caller"
        client.close()
        if self.prove(connection) is not None:
            return "a caller is seen where the connection is closed"
        return None


@contextlib.contextmanager
def _own_connection(host: str) -> Iterator[tuple[socket.socket, socket.socket, socket.socket]]:
    """A listener of ours, and both ends of a connection to it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with (
        socket.socket(family) as listener,
        socket.socket(family) as client,
        contextlib.ExitStack() as accepted,
    ):
        for end in listener, client:
            end.settimeout(_SELF_TEST_SECONDS)
        listener.bind((host, 0))
        listener.listen(_SELF_TEST_BACKLOG)
        client.connect(listener.getsockname())
        # Whoever else connects first must not be taken for us.
        for _ in range(_SELF_TEST_BACKLOG):
            connection, name = listener.accept()
            accepted.enter_context(connection)
            if name == client.getsockname():
                yield listener, client, connection
                return
        raise OSError(errno.EBUSY, "strangers were first at the port of the self-test")
