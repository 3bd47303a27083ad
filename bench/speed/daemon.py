"""The broker as it is measured: a process of its own with every check on, grants in force and the audit trail in a file."""

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.speed import ticks
from bench.speed.asking import answered, body_of
from bench.speed.emulator import Emulator, Key
from bench.speed.generator import Target
from bench.speed.processes import Word, server, wait_until
from bench.speed.resident import free_port

COMMAND = (sys.executable, "-m", "broker")
# The same broker, but for its budget at IAM: a thousand first tokens would take a quarter of an hour.
LIFTED = (sys.executable, "-m", "bench.speed.lifted")
USUAL_CONNECTIONS = 1024
_ONE_USERS_PART = 2  # of the connections; the others are kept for others
_FIRST_TOKENS = 120.0  # seconds
_HEAD = "Host: localhost\r\nUser-Agent: bench/1\r\nAccept: */*\r\nMetadata: true\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Broker:
    """A broker with its tokens."""

    socket: Path
    tcp: str
    pid: int
    identities: tuple[str, ...]
    folder: Path

    def target(self, *, tcp: bool = False, paths: Sequence[str] = ("/v1/token",)) -> Target:
        """It, asked for these paths."""
        return Target(self.tcp if tcp else self.socket, tuple(map(request, paths)), (self.pid,))

    def paths(self) -> tuple[str, ...]:
        """Where the token of each identity is had."""
        return tuple(f"/v1/identities/{name}/token" for name in self.identities)

    def ticks(self) -> list[ticks.Tick]:
        """How long its ticks took, where it is a `LIFTED` one."""
        return ticks.parse((self.folder / "ticks").read_text())

    def loop_lag(self) -> float:
        """The longest that its loop was late in the last minute, in seconds, as it tells itself."""
        lines = body_of(self.socket, request("/metrics")).decode().splitlines()
        return float(next(line for line in lines if line.startswith("broker_loop_lag_seconds")).split()[1])


def request(path: str) -> bytes:
    """A GET as a program sends it; the same for all who are measured."""
    return f"GET {path} HTTP/1.1\r\n{_HEAD}".encode()


def write_settings(
    folder: Path,
    iam: Emulator,
    keys: Mapping[str, Key],
    *,
    lane: bool = True,
    connections: int = USUAL_CONNECTIONS,
) -> Path:
    """The file of settings in this folder, and the keys beside it; `connections`: of this user."""
    identities = {}
    for name, key in keys.items():
        place = folder / "keys" / name
        place.mkdir(mode=0o700, parents=True)
        for part, text in (("id", key.id), ("secret", key.secret)):
            (place / part).touch(mode=0o600)
            (place / part).write_text(text)
        identities[f"[identities.{name}]"] = {"keys": [str(place)]}
    tables: list[tuple[str, Mapping[str, object]]] = [
        ("[iam]", {"url": iam.url}),
        ("[log]", {"audit": str(folder / "audit.log")}),
        ("[cache]", {"path": str(folder / "cache")}),
        ("[serving]", {"drain": 1, "lane": lane, "connections": _ONE_USERS_PART * connections}),
        ("[[listen]]", {"unix": str(folder / "b.sock")}),
        ("[[listen]]", {"tcp": f"127.0.0.1:{free_port()}"}),
        *identities.items(),
        *(("[[grants]]", {"identity": name, "users": [os.getuid()]}) for name in keys),
    ]
    file = folder / "broker.toml"
    file.write_text("\n".join(line for head, table in tables for line in _toml(head, table)))
    return file


@contextmanager
def broker(
    folder: Path,
    iam: Emulator,
    identities: int = 1,
    *,
    lane: bool = True,
    connections: int = USUAL_CONNECTIONS,
    command: Sequence[Word] = COMMAND,
) -> Iterator[Broker]:
    """A broker that holds the tokens of so many identities, in a folder that is made for it. Raises Failed."""
    folder.mkdir()
    names = ("default", *(f"identity-{number}" for number in range(1, identities)))
    keys = {name: iam.key if name == "default" else iam.new_key() for name in names}
    file = write_settings(folder, iam, keys, lane=lane, connections=connections)
    tcp = next(line.split('"')[1] for line in file.read_text().splitlines() if line.startswith("tcp ="))
    socket = folder / "b.sock"
    own = {ticks.VARIABLE: str(folder / "ticks")}
    with server(
        [*command, "run", "--config", file],
        folder / "log",
        lambda: answered(socket, request("/livez")),
        own,
    ) as child:
        wait_until(
            lambda: answered(socket, request("/readyz")),
            _FIRST_TOKENS,
            "a token of each identity",
            lambda: child.poll() is None,
        )
        yield Broker(socket, tcp, child.pid, names, folder)


def _toml(head: str, table: Mapping[str, object]) -> Sequence[str]:
    # JSON writes texts, numbers, truths and lists of texts as TOML does.
    return [head, *(f"{name} = {json.dumps(value)}" for name, value in table.items()), ""]
