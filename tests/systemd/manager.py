"""A service manager that reads what it is told."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Ears:
    """The socket of NOTIFY_SOCKET."""

    def __init__(self, address: str) -> None:
        self.name = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.bind("\0" + address[1:] if address.startswith("@") else address)

    def heard(self) -> list[dict[str, str]]:
        """The messages since the last look, by their variables."""
        messages: list[dict[str, str]] = []
        while True:
            try:
                text = self._socket.recv(65536).decode()
            except BlockingIOError:
                return messages
            messages.append(dict(line.split("=", 1) for line in text.split("\n")))

    def close(self) -> None:
        self._socket.close()


@contextmanager
def listening(folder: Path, *, abstract: bool = False) -> Iterator[Ears]:
    """One for as long as the context lasts."""
    path = folder / "notify"
    ears = Ears(f"@{path}" if abstract else str(path))
    try:
        yield ears
    finally:
        ears.close()
