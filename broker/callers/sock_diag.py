"""Asks the kernel for one TCP socket of this host by its two ends, over NETLINK_SOCK_DIAG.

- One exact question, never a dump: what it costs does not grow with the host's connections.
- What comes back is the kernel's answer as it stands. It may be about another socket than the one asked for (without
  an exact match the kernel falls back to a listener), so whoever reads it must compare; `callers.tcp` does.
- An address has one form here, 16 bytes with IPv4 as v4-mapped, for the kernel answers in the family of the client's
  socket, whatever the family of the question.
- The kernel answers within `send`, so nothing ever waits: an answer that is not there is an error. A message counts if
  the kernel itself sent it, to our port id, for the very question.
- One netlink socket, opened at the first question and again after an error. Event loop only.
"""

import errno
import os
import socket
import struct
from functools import lru_cache
from typing import NamedTuple, Protocol

_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY = 20
_NLMSG_ERROR = 2
_NLM_F_REQUEST = 1
_ANY_STATE = 0xFFFFFFFF
_NO_COOKIE = b"\xff" * 8
# The kernel gives this number to `lo` in every network namespace. Asked with it, the look-up is the one it makes for a
# packet from us to the peer, so a client that bound its socket to `lo` is found too.
_LOOPBACK_INTERFACE = 1

_HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence number, port id
_ERROR = struct.Struct("=i")
# The header; family, protocol, states of a dump; source port, destination port, both addresses, interface, cookie.
_QUESTION = struct.Struct("=IHHII BBxxI 2s2s16s16sI8s")
_ANSWER = struct.Struct("=BBxx2s2s16s16s24xII")  # family, state, the ends, (interface to queues), uid, inode
# The header's length and type; then as above, with the ends in one piece, as they stand in the question too.
_GLANCE = struct.Struct("=IH10x BBxx36s24xII")
_FAMILY_ASKED, _ENDS_ASKED = 16, slice(24, 60)

_MESSAGE_BYTES = 4096
# Left-overs of questions that failed; there is at most one answer to each.
_MOST_STALE = 16
# There is one on most hosts, and a few million are loopback addresses.
_MOST_ADDRESSES = 256

_MAPPED = bytes(10) + b"\xff\xff"
_LOOPBACK_4 = _MAPPED + b"\x7f"
_LOOPBACK_6 = bytes(15) + b"\x01"


class End(NamedTuple):
    """One end of a connection."""

    address: bytes  # 16 bytes
    port: int

    @property
    def is_loopback(self) -> bool:
        return self.address == _LOOPBACK_6 or self.address.startswith(_LOOPBACK_4)


class Answer(NamedTuple):
    """A socket as the kernel describes it: its own end, the end it is connected to, and whose it is."""

    state: int
    own: End
    other: End
    uid: int
    inode: int  # 0: no process holds it, and then its uid means nothing


class Lookup(Protocol):
    """Finds a TCP socket of this host."""

    def find(self, own: End, other: End) -> Answer | None: ...


def end_of(name: object) -> End | None:
    """The end that `getsockname` or `getpeername` named, or None where that is no IP address."""
    if not isinstance(name, tuple) or len(name) < 2:
        return None
    host, port = name[:2]
    if not isinstance(host, str) or not isinstance(port, int):
        return None
    address = _address(host)
    return None if address is None else End(address, port)


@lru_cache(maxsize=_MOST_ADDRESSES)
def _address(host: str) -> bytes | None:
    try:
        if ":" in host:
            return socket.inet_pton(socket.AF_INET6, host)
        return _MAPPED + socket.inet_pton(socket.AF_INET, host)
    except OSError:  # an address with a scope, which no loopback address has
        return None


def question(own: End, other: End, sequence: int, port: int) -> bytes:
    """The message that asks for the socket whose own end is `own` and which is connected to `other`."""
    family, start = socket.AF_INET6, 0
    if own.address.startswith(_MAPPED) and other.address.startswith(_MAPPED):
        family, start = socket.AF_INET, len(_MAPPED)
    return _QUESTION.pack(
        _QUESTION.size,
        _SOCK_DIAG_BY_FAMILY,
        _NLM_F_REQUEST,
        sequence,
        port,
        family,
        socket.IPPROTO_TCP,
        _ANY_STATE,
        own.port.to_bytes(2, "big"),
        other.port.to_bytes(2, "big"),
        own.address[start:],
        other.address[start:],
        _LOOPBACK_INTERFACE,
        _NO_COOKIE,
    )


def answers(message: bytes, sequence: int, port: int) -> bool:
    """Whether this message is for that question."""
    return len(message) >= _HEADER.size and _HEADER.unpack_from(message)[3:] == (sequence, port)


def refusal(message: bytes) -> int:
    """The error number that the kernel answered with, 0 if with none."""
    if len(message) < _HEADER.size + _ERROR.size or _HEADER.unpack_from(message)[1] != _NLMSG_ERROR:
        return 0
    number: int = -_ERROR.unpack_from(message, _HEADER.size)[0]
    return max(number, 0)


def parse(message: bytes) -> Answer | None:
    """The socket that a message describes, or None where it describes none."""
    if len(message) < _HEADER.size + _ANSWER.size:
        return None
    length, kind, *_ = _HEADER.unpack_from(message)
    if kind != _SOCK_DIAG_BY_FAMILY or not _HEADER.size + _ANSWER.size <= length <= len(message):
        return None
    family, state, own_port, other_port, own, other, uid, inode = _ANSWER.unpack_from(message, _HEADER.size)
    if family == socket.AF_INET:
        own, other = _MAPPED + own[:4], _MAPPED + other[:4]
    elif family != socket.AF_INET6:
        return None
    ends = End(own, int.from_bytes(own_port, "big")), End(other, int.from_bytes(other_port, "big"))
    return Answer(state, *ends, uid, inode)


def exactly(message: bytes, asked: bytes) -> tuple[int, int, int] | None:
    """State, uid and inode of the very socket that was asked for; None: `parse` it, which costs more."""
    if len(message) < _GLANCE.size:
        return None
    length, kind, family, state, ends, uid, inode = _GLANCE.unpack_from(message)
    if kind != _SOCK_DIAG_BY_FAMILY or not _GLANCE.size <= length <= len(message):
        return None
    return (state, uid, inode) if family == asked[_FAMILY_ASKED] and ends == asked[_ENDS_ASKED] else None


class SockDiag:
    """The kernel, by one netlink socket in the network namespace in which the first question is asked."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        self._port = 0
        self._sequence = 0

    def find(self, own: End, other: End) -> Answer | None:
        """What the kernel says to one exact question, None for "no such socket". Raises OSError if it cannot be asked."""
        try:
            asked, message = self._ask(own, other)
        except OSError:
            # ENOBUFS and the like leave the socket with answers lost; a new one starts clean.
            self.close()
            asked, message = self._ask(own, other)
        if (exact := exactly(message, asked)) is not None:
            state, uid, inode = exact
            return Answer(state, own, other, uid, inode)
        number = refusal(message)
        if number not in {0, errno.ENOENT}:
            raise OSError(number, os.strerror(number))
        return parse(message)

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _ask(self, own: End, other: End) -> tuple[bytes, bytes]:
        """The question and what the kernel says to it."""
        kernel = self._socket or self._open()
        self._sequence = (self._sequence + 1) & 0xFFFFFFFF
        asked = question(own, other, self._sequence, self._port)
        kernel.send(asked)
        for _ in range(_MOST_STALE):
            message, sender = kernel.recvfrom(_MESSAGE_BYTES)
            # The sender's port id is 0 for the kernel alone: nobody else may answer in its name.
            if sender[0] == 0 and answers(message, self._sequence, self._port):
                return asked, message
        raise OSError(errno.EPROTO, "the kernel does not answer what was asked")

    def _open(self) -> socket.socket:
        kernel = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, _NETLINK_SOCK_DIAG)
        try:
            kernel.bind((0, 0))
            kernel.connect((0, 0))  # from here on the kernel turns away what other processes send to it
            self._port = kernel.getsockname()[0]
        except BaseException:
            kernel.close()
            raise
        self._socket = kernel
        return kernel
