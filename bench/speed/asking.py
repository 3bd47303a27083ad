"""Single questions to a server, for what is not measured, and for the first answer of a start."""

import socket
from pathlib import Path

from bench.speed.processes import Failed

_PATIENCE = 10.0  # seconds
_MOST = 1 << 24  # bytes; the metrics of a thousand identities are a megabyte


def answered(where: Path | str, request: bytes) -> bool:
    """Whether it answers 200; False while nobody listens."""
    try:
        return _ask(where, request, 16).startswith(b"HTTP/1.1 200 ")
    except OSError:
        return False


def body_of(where: Path | str, request: bytes) -> bytes:
    """What it answers. Raises Failed where that is no 200."""
    end = b"Connection: close\r\n\r\n"
    head, _, body = _ask(where, request.removesuffix(b"\r\n") + end, _MOST).partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200 "):
        raise Failed(f"an answer is {head[:80]!r}")
    return body


def _ask(where: Path | str, request: bytes, most: int) -> bytes:
    """The first so many bytes of the answer, or all until its end."""
    with socket.socket(socket.AF_UNIX if isinstance(where, Path) else socket.AF_INET) as asking:
        asking.settimeout(_PATIENCE)
        asking.connect(str(where) if isinstance(where, Path) else _address(where))
        asking.sendall(request)
        heard = b""
        while len(heard) < most and (more := asking.recv(min(65536, most - len(heard)))):
            heard += more
        return heard


def _address(where: str) -> tuple[str, int]:
    host, _, port = where.rpartition(":")
    return host, int(port)
