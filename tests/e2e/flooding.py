"""A stranger's process that connects or asks without end: `python flooding.py ROLE SOCKET PORT UID COUNT`.

- `flood` connects to the socket, asks, and leaves before the answer, one connection after the other.
- `loop` keeps so many connections, half of them to the port, and asks on each as soon as it is answered: in turns for the
  metrics, and for a token that it may not have.
- Told by a line on stdin, as `greedy` is: `on` or `off`; it tells what it has done as JSON. It gives way to others.
"""

import json
import os
import select
import socket
import sys
import time

METRICS = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"
TOKEN = b"GET /v1/token HTTP/1.1\r\nHost: localhost\r\nMetadata: true\r\n\r\n"
SECONDS = 10.0
TURN = 0.04  # seconds
FULL = 0.001  # seconds to wait where the queue has no place


def connect(path: str, port: int | None = None) -> socket.socket:
    """A connection to the port, or without one to the socket."""
    one = socket.socket(socket.AF_UNIX if port is None else socket.AF_INET)
    one.settimeout(SECONDS)
    try:
        one.connect(path if port is None else ("127.0.0.1", port))
    except BaseException:
        one.close()
        raise
    return one


class Flood:
    """One connection after the other."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._made = 0

    def on(self) -> None:
        """Nothing is kept."""

    off = on

    def turn(self) -> None:
        end = time.monotonic() + TURN
        while time.monotonic() < end:
            try:
                with connect(self._path) as one:
                    one.sendall(TOKEN)
                self._made += 1
            except OSError:
                time.sleep(FULL)

    def state(self) -> dict[str, int]:
        return {"made": self._made}


class Loop:
    """Kept connections; the next request goes out with each answer."""

    def __init__(self, path: str, port: int, count: int) -> None:
        self._ways = [None, port] * (count // 2)
        self._path = path
        self._epoll = select.epoll()
        self._held: dict[int, socket.socket] = {}
        self._answers = 0

    def on(self) -> None:
        for way in self._ways:
            one = self._persist(way)
            one.sendall(METRICS)
            self._held[one.fileno()] = one
            self._epoll.register(one, select.EPOLLIN)

    def off(self) -> None:
        for one in self._held.values():
            one.close()
        self._held.clear()

    def turn(self) -> None:
        for descriptor, _ in self._epoll.poll(TURN):
            one = self._held[descriptor]
            try:
                data = one.recv(2**20)
                if b"HTTP/1.1 " in data:  # what else comes is the rest of an answer
                    self._answers += 1
                    one.sendall(METRICS if self._answers % 2 else TOKEN)
            except OSError:
                data = b""
            if not data:
                self._epoll.unregister(descriptor)
                self._held.pop(descriptor).close()

    def state(self) -> dict[str, int]:
        return {"held": len(self._held), "answers": self._answers}

    def _persist(self, way: int | None) -> socket.socket:
        while True:
            try:
                return connect(self._path, way)
            except BlockingIOError:
                time.sleep(FULL)


def main(role: str, path: str, port: str, uid: str, count: str) -> None:
    os.setgroups([])
    os.setgid(int(uid))
    os.setuid(int(uid))
    os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    one = Flood(path) if role == "flood" else Loop(path, int(port), int(count))
    going = False
    while True:
        if going:
            one.turn()
        if select.select([sys.stdin], [], [], 0 if going else None)[0]:
            line = sys.stdin.readline().strip()
            if not line:
                return
            going = line == "on"
            one.on() if going else one.off()
            sys.stdout.write(f"{json.dumps(one.state())}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
