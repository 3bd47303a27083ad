"""A server on a Unix socket or a loopback port that answers each connection with the bytes it is given."""

import contextlib
import json
import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

Reply = bytes | None  # None: say nothing, and hold the connection


def answered(status: int, body: object, *, head: str = "") -> bytes:
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    return f"HTTP/1.1 {status} X\r\nContent-Length: {len(text)}\r\n{head}\r\n".encode() + text


def bare(token: bytes) -> bytes:
    """A token as a broker gives it to who wants no JSON."""
    return answered(200, token, head='Content-Type: text/plain; charset=utf-8\r\nETag: W/"1"\r\n')


def loopback(host: str = "127.0.0.1") -> tuple[socket.socket, int]:
    """A socket bound to a free port, and that port."""
    server = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    server.bind((host, 0))
    return server, server.getsockname()[1]


def _request(connection: socket.socket) -> bytes:
    """A whole request, or what came of one."""
    request = connection.recv(65536)
    head, _, body = request.partition(b"\r\n\r\n")
    length = re.search(rb"\r\nContent-Length: (\d+)", head)
    if length and len(body) < int(length[1]):
        request += connection.recv(65536)
    return request


@contextlib.contextmanager
def scripted(place: Path | socket.socket, *replies: Reply) -> Iterator[list[bytes]]:
    """Answer the first connections as told, the later ones like the last; yields the requests seen so far."""
    seen: list[bytes] = []
    held: list[socket.socket] = []
    if isinstance(place, Path):
        server = socket.socket(socket.AF_UNIX)
        server.bind(str(place))
    else:
        server = place
    server.listen()

    def serve() -> None:
        # Shutting the socket down ends `accept` with an error: that is the end of this thread.
        with contextlib.suppress(OSError):
            for number in range(1000):
                connection, _ = server.accept()
                held.append(connection)
                seen.append(_request(connection))
                reply = replies[min(number, len(replies) - 1)]
                if reply is not None:
                    with contextlib.suppress(OSError):
                        connection.sendall(reply)
                    connection.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield seen
    finally:
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
        server.close()
        for connection in held:
            connection.close()
