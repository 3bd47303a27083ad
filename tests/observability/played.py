"""systemd's journal, played by a socket of the test's own."""

import socket
from collections.abc import Iterator
from pathlib import Path


class Journal:
    """A socket at a path, as journald has one."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.settimeout(10)
        self._socket.bind(str(path))

    def receive(self) -> dict[str, str]:
        return dict(fields(self._socket.recv(1 << 16)))

    def close(self) -> None:
        self._socket.close()


def fields(datagram: bytes) -> Iterator[tuple[str, str]]:
    """As https://systemd.io/JOURNAL_NATIVE_PROTOCOL/ has them read."""
    while datagram:
        line, _, datagram = datagram.partition(b"\n")
        name, equals, value = line.partition(b"=")
        if not equals:
            size = int.from_bytes(datagram[:8], "little")
            value, datagram = datagram[8 : 8 + size], datagram[8 + size :].removeprefix(b"\n")
        yield name.decode(), value.decode()
