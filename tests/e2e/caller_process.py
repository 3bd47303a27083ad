"""Runs as root and becomes any caller, in a child for each: orders on stdin, answers on stdout, one JSON a line.

- It needs the standard library alone and loads all of it first, for another user may not read this Python.
- An order names who (`uid`, `gid`, `groups`, `group_of_control`), where (`socket`, or `port` and maybe `own_port`), what
  (`paths`) and the `way`: `stay` reads the answers; `leave` does so in a child, after the one that connected has ended;
  `close` and `reset` end right after sending.
- The answer is what came back; for `leave` at once the pid of who connected, by which the rest is collected later. The pid
  is the one that `/proc` shows here, also from within a pid namespace.
"""

import contextlib
import json
import os
import re
import socket
import struct
import sys
from pathlib import Path
from typing import Any, NoReturn

SECONDS = 20.0
_NOW = struct.pack("ii", 1, 0)  # SO_LINGER: end by RST, which leaves nobody waiting for the port
_ANSWER = re.compile(rb"HTTP/1\.1 ([0-9]{3}) ")
_CODE = re.compile(rb'"code": ?"([a-z_]+)"')


def main() -> None:
    """Serve until stdin ends."""
    waiting: dict[int, int] = {}
    for line in sys.stdin:
        order = json.loads(line)
        if (left := order.get("collect")) is not None:
            answer = _rest(waiting.pop(left))
        else:
            answer = _begun(order, waiting)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _begun(order: dict[str, Any], waiting: dict[int, int]) -> dict[str, Any]:
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        _be(order, writing)
    os.close(writing)
    pid = int(_line(reading))
    if order["way"] != "leave":
        answer = _rest(reading)
        os.waitpid(child, 0)
        return answer
    os.waitpid(child, 0)
    waiting[pid] = reading
    return {"pid": pid}


def _be(order: dict[str, Any], writing: int) -> NoReturn:
    """The caller's whole life."""
    told: dict[str, object] = {}
    try:
        os.write(writing, os.fsencode(Path("/proc/self").readlink()) + b"\n")
        if order["group_of_control"]:
            (Path(order["group_of_control"]) / "cgroup.procs").write_text("0")
        os.setgroups(order["groups"])
        os.setgid(order["gid"])
        os.setuid(order["uid"])
        told = {"answers": _ask(order)}
    except OSError as error:
        told = {"error": type(error).__name__}
    finally:
        with contextlib.suppress(OSError):
            os.write(writing, json.dumps(told).encode())
        os._exit(0)


def _ask(order: dict[str, Any]) -> list[tuple[int, str | None]]:
    """Status and code of each answer; none where it ended before."""
    paths, way = order["paths"], order["way"]
    with socket.socket(socket.AF_UNIX if order["socket"] else socket.AF_INET) as client:
        client.settimeout(SECONDS)
        if order["own_port"]:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            client.bind(("127.0.0.1", order["own_port"]))
        client.connect(order["socket"] or ("127.0.0.1", order["port"]))
        for path in paths:
            last = "Connection: close\r\n" if path is paths[-1] else ""
            client.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nMetadata: true\r\n{last}\r\n".encode())
        if way == "leave" and os.fork():
            os._exit(0)
        if way == "reset":
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NOW)
        return [] if way in {"close", "reset"} else _answers(client)


def _answers(client: socket.socket) -> list[tuple[int, str | None]]:
    text = b""
    while part := client.recv(65536):
        text += part
    found = [*_ANSWER.finditer(text)]
    ends = [*(match.start() for match in found[1:]), len(text)]
    codes = [_CODE.search(text, match.end(), end) for match, end in zip(found, ends, strict=True)]
    return [
        (int(match[1]), code[1].decode() if code and match[1] != b"200" else None)
        for match, code in zip(found, codes, strict=True)
    ]


def _line(reading: int) -> bytes:
    line = b""
    while not line.endswith(b"\n") and (byte := os.read(reading, 1)):
        line += byte
    return line


def _rest(reading: int) -> dict[str, Any]:
    with open(reading, "rb") as pipe:
        said: dict[str, Any] = json.loads(pipe.read() or b"{}")
    return said


if __name__ == "__main__":
    main()
