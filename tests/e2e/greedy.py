"""A process of one caller that is slow, greedy, or asks as usual: `python greedy.py ROLE SOCKET PORT UID COUNT`.

- `idle` asks once on each of so many connections and keeps them. `drip` sends a byte a second on each. `deaf` asks as often
  as it can and reads nothing. Who is closed comes back, except for `once-drip` and `once-deaf`.
- `storm` connects and leaves, so many times.
- `ask` asks for so many tokens in each of four ways and says how long each took; it gives up a way after MOST_SECONDS.
- Half of the connections are to the socket, half to the port.
- It does what a line on stdin says, and tells where it stands as JSON: `on` (connect), `off` (leave), `go` (once more).
- It gives way to whoever is measured: the broker shall be measured, and not the scheduler of a small machine.

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
MOST_SECONDS = 2.0
TURNS = 25  # in a second; a dripper sends in one of them
ROW = (GET + b"\r\n") * 200


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

    def persist(self, *, unix: bool) -> socket.socket:
        """The same, as often as there is no place in the queue."""
        while True:
            with contextlib.suppress(BlockingIOError):
                return self.connect(unix=unix)
            time.sleep(0.001)


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
        self._count = count
        self._epoll = select.epoll()
        self._held: dict[int, tuple[socket.socket, float]] = {}  # by number, with the time when it came
        self._number: dict[int, int] = {}  # by descriptor
        self.ended: list[tuple[float, str]] = []  # after so long, with this answer
        self._turn = 0

    def on(self) -> None:
        for number in range(self._count):
            self._open(number)

    def off(self) -> None:
        for one, _ in self._held.values():
            one.close()
        self._held.clear()
        self._number.clear()

    def _open(self, number: int) -> None:
        with contextlib.suppress(OSError):
            one = self._caller.connect(unix=number % 2 == 0)
            if self._role == "idle" or number % 4 > 1:  # the half of a second request is half a request too
                one.sendall(GET + b"\r\n")
                one.recv(65536)
            one.setblocking(False)
            self._held[number] = one, time.monotonic()
            self._number[one.fileno()] = number
            closes = select.EPOLLRDHUP | select.EPOLLHUP
            self._epoll.register(one, closes if self._role == "deaf" else closes | select.EPOLLIN)
            if self._role == "drip":
                one.send(GET + b"X: ")

    def turn(self) -> None:
        """Do what the role does in a turn, and come back where it was closed."""
        for descriptor, _ in self._epoll.poll(0):
            number = self._number.pop(descriptor)
            one, began = self._held.pop(number)
            with contextlib.suppress(OSError):
                told = b"" if self._role == "deaf" else one.recv(65536)
                self.ended.append((time.monotonic() - began, told[:12].decode()))
            one.close()
            if not self._once:
                self._open(number)
        if self._role == "idle":
            return
        step = 1 if self._role == "deaf" else TURNS
        for number in range(self._turn % step, self._count, step):
            if number in self._held:
                with contextlib.suppress(OSError):
                    self._held[number][0].send(ROW if self._role == "deaf" else b"a")
        self._turn += 1

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
    """So many tokens in each way, and how many seconds each took; `full`: a 0 for each time that the queue had no place."""
    took: dict[str, list[float]] = {"full": []}
    for unix in (True, False):
        with caller.persist(unix=unix) as kept:
            times = took["kept by " + ("socket" if unix else "tcp")] = []
            for _ in range(count):
                began = time.perf_counter()
                kept.sendall(GET + b"\r\n")
                answer(kept)
                times.append(time.perf_counter() - began)
        times = took["new by " + ("socket" if unix else "tcp")] = []
        end = time.monotonic() + MOST_SECONDS
        for _ in range(count):
            began = time.perf_counter()
            try:
                with caller.connect(unix=unix) as one:
                    one.sendall(GET + b"Connection: close\r\n\r\n")
                    answer(one)
                times.append(time.perf_counter() - began)
            except BlockingIOError:
                took["full"].append(0.0)
                time.sleep(0.001)
            if time.monotonic() > end:
                break
    return took


def say(what: object) -> None:
    sys.stdout.write(f"{json.dumps(what)}\n")
    sys.stdout.flush()


def give_way() -> None:
    """Never take a processor from somebody who has it."""
    os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def main(role: str, path: str, port: str, uid: str, count: str) -> None:
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if os.getuid() == 0 and int(uid):
        os.setgroups([])
        os.setgid(int(uid))
        os.setuid(int(uid))
    caller = Caller(path, int(port))
    if role == "ask":
        for _ in sys.stdin:
            say(asked(caller, int(count)))
        return
    give_way()
    if role == "storm":
        for _ in sys.stdin:
            say(storm(caller, int(count)))
        return
    crowd = Crowd(role, caller, int(count))
    while True:
        crowd.turn()
        if select.select([sys.stdin], [], [], 1 / TURNS)[0]:
            line = sys.stdin.readline().strip()
            if not line:
                return
            if line != "go":
                crowd.on() if line == "on" else crowd.off()
            say(crowd.state())


if __name__ == "__main__":
    main(*sys.argv[1:])
