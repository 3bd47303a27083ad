"""Asks for tokens by every way in until it gets SIGTERM, and a few times after it, then prints as JSON what came of it. Runs on the machine, alone.

A request that breaks after its connection was made is asked once more, at once, as any careful client does.
"""

import json
import signal
import socket
import sys
import threading
import time
from dataclasses import asdict, dataclass, field

SOCKET = "/run/kakaocloud-broker/broker.sock"
WAYS: dict[str, tuple[int, str | tuple[str, int]]] = {
    "unix": (socket.AF_UNIX, SOCKET),
    "v4": (socket.AF_INET, ("127.0.0.1", 9780)),
    "v6": (socket.AF_INET6, ("::1", 9780)),
}
ASKED = b"GET /v1/token HTTP/1.1\r\nHost: localhost\r\nMetadata: true\r\n\r\n"
PATIENCE = 40.0  # seconds
AFTERWARDS = 15  # so that each has asked what stands there in the end too, and not only waited
stop = threading.Event()


@dataclass(slots=True)
class Told:
    """What came of one way's requests."""

    answered: int = 0
    refused: int = 0
    broken: int = 0  # after the connection was made
    lost: int = 0  # at the second attempt too
    other: list[int] = field(default_factory=list)  # statuses but 200
    slowest: float = 0.0  # seconds


told = {name: Told() for name in WAYS}


def connected(way):
    """A connection, or None where it was refused."""
    family, address = WAYS[way]
    connection = socket.socket(family, socket.SOCK_STREAM)
    connection.settimeout(PATIENCE)
    try:
        connection.connect(address)
    except (ConnectionRefusedError, FileNotFoundError):
        told[way].refused += 1
        connection.close()
        return None
    return connection


def answered(connection):
    """The status of a whole answer. Raises OSError where the connection breaks."""
    connection.sendall(ASKED)
    got = b""
    while b"\r\n\r\n" not in got:
        got += _more(connection)
    head, _, body = got.partition(b"\r\n\r\n")
    length = next(
        int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")
    )
    while len(body) < length:
        body += _more(connection)
    return int(head.split()[1])


def _more(connection):
    if chunk := connection.recv(65536):
        return chunk
    raise ConnectionResetError


def once(way, kept):
    """One request, on the connection that was kept or a new one, and once more where it breaks; the connection to keep."""
    for attempt in range(2):
        connection = kept if kept is not None and attempt == 0 else connected(way)
        if connection is None:
            continue
        try:
            status = answered(connection)
        except OSError:
            told[way].broken += 1
            connection.close()
            continue
        if status == 200:
            told[way].answered += 1
        else:
            told[way].other.append(status)
        return connection
    told[way].lost += 1
    return None


def loop(way, keeps):
    """Ask on and on."""
    kept, left = None, AFTERWARDS
    while left:
        left -= stop.is_set()
        begun = time.monotonic()
        connection = once(way, kept)
        told[way].slowest = max(told[way].slowest, time.monotonic() - begun)
        if connection is not None and not keeps:
            connection.close()
        kept = connection if keeps else None
        stop.wait(0.005)


signal.signal(signal.SIGTERM, lambda *_: stop.set())
threads = [threading.Thread(target=loop, args=(way, keeps)) for way in WAYS for keeps in (False, True)]
for thread in threads:
    thread.start()
sys.stdout.write("looping\n")
sys.stdout.flush()
stop.wait()
for thread in threads:
    thread.join()
sys.stdout.write(json.dumps({way: asdict(its) for way, its in told.items()}) + "\n")
