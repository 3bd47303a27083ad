"""The brokers that are written in Python: elhaz, with moto in the place of AWS; and moto's own metadata endpoint."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.speed.asking import answered
from bench.speed.generator import Target
from bench.speed.processes import Failed, Word, server
from bench.speed.resident import free_port

_ROLE = "/latest/meta-data/iam/security-credentials/default-role"
_QUEUE = "128"  # elhaz makes room for five who wait, where all others have more
_CONFIG = """
AssumeRole:
  RoleArn: arn:aws:iam::123456789012:role/bench
  RoleSessionName: bench
STS:
  region_name: us-east-1
  endpoint_url: http://{aws}
  aws_access_key_id: bench
  aws_secret_access_key: bench
"""


@contextmanager
def moto(python: Path, folder: Path) -> Iterator[Target]:
    """A server of moto, asked for the credentials of an instance. Raises Failed."""
    where = f"127.0.0.1:{free_port()}"
    asked = f"GET {_ROLE} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: bench/1\r\nAccept: */*\r\n\r\n".encode()
    command: list[Word] = [python, python.with_name("moto_server"), "-p", where.rpartition(":")[2]]
    with server(command, folder / "moto.log", lambda: answered(where, asked), {"HOME": str(folder)}) as child:
        yield Target(where, (asked,), (child.pid,))


@contextmanager
def elhaz(python: Path, folder: Path, aws: str) -> Iterator[Target]:
    """A daemon of elhaz with one session, asked for its credentials. Raises Failed."""
    config = folder / ".elhaz" / "configs" / "bench.yaml"  # it reads them in the home folder and nowhere else
    config.parent.mkdir(parents=True)
    config.write_text(_CONFIG.format(aws=aws))
    where = folder / "elhaz.sock"
    command: list[Word] = [
        python,
        "-m",
        "elhaz.cli",
        "--socket-path",
        where,
        "--max-unix-socket-connections",
        _QUEUE,
    ]
    with server(
        [*command, "daemon", "_serve"], folder / "elhaz.log", where.exists, {"HOME": str(folder)}
    ) as child:
        answer = _ask(where, "add")
        if not json.loads(answer).get("ok"):
            raise Failed(f"elhaz made no session: {answer[:200]!r}")
        yield Target(where, (_line("credentials"),), (child.pid,), lines=True)


def _line(action: str) -> bytes:
    number = "6f1c2a44-9c1e-4d2a-8a55-0d6c2f0e9b11"  # any will do
    return (
        json.dumps({"request_id": number, "action": action, "payload": {"config": "bench"}}).encode() + b"\n"
    )


def _ask(where: Path, action: str) -> bytes:
    with socket.socket(socket.AF_UNIX) as asking:
        asking.settimeout(20.0)
        asking.connect(str(where))
        asking.sendall(_line(action))
        return asking.makefile("rb").readline()
