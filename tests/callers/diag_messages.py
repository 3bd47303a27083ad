"""Messages of the kernel about sockets, written down anew from its headers, not with the code's own layouts."""

import socket
import struct

from broker.callers.sock_diag import Answer, End

MAPPED = End(bytes(10) + b"\xff\xff\x7f\0\0\1", 40_000)
MAPPED_OURS = MAPPED._replace(port=9780)


def answer(family: int, own: bytes, other: bytes, *, kind: int = 20, length: int | None = None) -> bytes:
    body = struct.pack("=BBBB", family, 1, 0, 0) + struct.pack(">HH", 40_000, 9780)
    body += own.ljust(16, b"\0") + other.ljust(16, b"\0") + struct.pack("=I", 0) + b"cookies!"
    body += struct.pack("=IIIII", 1, 2, 3, 1234, 5678)
    return struct.pack("=IHHII", 16 + len(body) if length is None else length, kind, 0, 5, 6) + body


def error(number: int) -> bytes:
    return struct.pack("=IHHIIi", 36, 2, 0, 5, 6, -number) + bytes(16)


LOCALHOST = b"\x7f\0\0\1"
GOOD = answer(socket.AF_INET, LOCALHOST, LOCALHOST)
SAID = Answer(state=1, own=MAPPED, other=MAPPED_OURS, uid=1234, inode=5678)
