"""A process of one caller that is slow, greedy, or asks as usual: `python greedy.py ROLE SOCKET PORT UID COUNT`.

- `idle` asks once on each of so many connections and keeps them. `drip` sends a byte a second on each. `deaf` asks as often
  as it can and reads nothing. Who is closed comes back, except for `once-drip` and `once-deaf`.
- `storm` connects and leaves, so many times. `ask` asks for so many tokens in each of four ways and says how long each took.
- Half of the connections are to the socket, half to the port. Each line on stdin has it say, as JSON, where it stands.

It imports nothing but the standard library, so that it starts at once and costs the machine little.
"""

import contextlib
import json
import os
import resource
import select
import socket
import sys
import time

GET = b"GET /v1/token HTTP/1.1\r\nHost: localhost\r\nMetadata: true\r\n"
SECONDS = 10.0
TURN = 0.1  # of a dripper; a tenth of them sends in each


class Caller:
    """Where it connects to, in turns or as it is told."""

    def __init__(self, path: str, port: int) -> None:
        self._path = path
        self._port = port

    def connect(self, *, unix: bool) -> socket.socket:
        one = socket.socket(socket.AF_UNIX if unix else socket.AF_INET)
        one.settimeout(SECONDS)
        one.connect(self._path if unix else ("127.0.0.1", self._port))
        return one


def answer(one: socket.socket) -> bytes:
    """One whole answer with a token; anything else is an error."""
    data = one.recv(65536)
    while b"\r\n\r\n" not in data:
        data += one.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    size = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    while len(body) < size:
        body += one.recv(65536)
    if not head.startswith(b"HTTP/1.1 200 "):
        raise ValueError(head)
    return body


class Crowd:
    """The connections of an idle, dripping or deaf caller."""

    def __init__(self, role: str, caller: Caller, count: int) -> None:
        self._once = role.startswith("once-")
        self._role = role.removeprefix("once-")
        self._caller = caller
        self._epoll = select.epoll()
        self._held: dict[
            int, tuple[socket.socket, int, float]
        ] = {}  # by descriptor, with a number and the time
        self.ended: list[tuple[float, str]] = []  # after so long, with this answer
        self._turn = 0
        for number in range(count):
            self._open(number)

    def _open(self, number: int) -> None:
        with contextlib.suppress(OSError):
            one = self._caller.connect(unix=number % 2 == 0)
            if self._role == "idle" or number % 4 > 1:  # the half of a second request is half a request too
                one.sendall(GET + b"\r\n")
                one.recv(65536)
            one.setblocking(False)
            self._held[one.fileno()] = one, number, time.monotonic()
            closes = select.EPOLLRDHUP | select.EPOLLHUP
            self._epoll.register(one, closes if self._role == "deaf" else closes | select.EPOLLIN)
            if self._role == "drip":
                one.send(GET + b"X: ")

    def turn(self) -> None:
        """Do what the role does in a tenth of a second, and come back where it was closed."""
        for descriptor, _ in self._epoll.poll(0):
            one, number, began = self._held.pop(descriptor)
            with contextlib.suppress(OSError):
                told = b"" if self._role == "deaf" else one.recv(65536)
                self.ended.append((time.monotonic() - began, told[:12].decode()))
            one.close()
            if not self._once:
                self._open(number)
        self._turn += 1
        for one, number, _ in self._held.values():
            with contextlib.suppress(OSError):
                if self._role == "deaf":
                    one.send((GET + b"\r\n") * 200)
                elif self._role == "drip" and number % 10 == self._turn % 10:
                    one.send(b"a")

    def state(self) -> dict[str, object]:
        return {"held": len(self._held), "ended": self.ended}


def storm(caller: Caller, count: int) -> float:
    """Connect and leave; how long it took."""
    began = time.monotonic()
    for number in range(count):
        with contextlib.suppress(OSError):
            caller.connect(unix=number % 2 == 0).close()
    return time.monotonic() - began


def asked(caller: Caller, count: int) -> dict[str, list[float]]:
    """So many tokens in each way, and how many seconds each took."""
    took: dict[str, list[float]] = {}
    for unix in (True, False):
        with caller.connect(unix=unix) as kept:
            times = took["kept by " + ("socket" if unix else "tcp")] = []
            for _ in range(count):
                began = time.perf_counter()
                kept.sendall(GET + b"\r\n")
                answer(kept)
                times.append(time.perf_counter() - began)
        times = took["new by " + ("socket" if unix else "tcp")] = []
        for _ in range(count):
            began = time.perf_counter()
            with caller.connect(unix=unix) as one:
                one.sendall(GET + b"Connection: close\r\n\r\n")
                answer(one)
            times.append(time.perf_counter() - began)
    return took


def say(what: object) -> None:
    sys.stdout.write(f"{json.dumps(what)}\n")
    sys.stdout.flush()


def main(role: str, path: str, port: str, uid: str, count: str) -> None:
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if os.getuid() == 0 and int(uid):
        os.setgroups([])
        os.setgid(int(uid))
        os.setuid(int(uid))
    caller = Caller(path, int(port))
    if role in {"storm", "ask"}:
        for _ in sys.stdin:
            say((storm if role == "storm" else asked)(caller, int(count)))
        return
    crowd = Crowd(role, caller, int(count))
    while True:
        crowd.turn()
        if select.select([sys.stdin], [], [], TURN)[0]:
            if not sys.stdin.readline():
                return
            say(crowd.state())


if __name__ == "__main__":
    main(*sys.argv[1:])
