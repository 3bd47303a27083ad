"""A whole broker in-process, against an emulated IAM, with the real clock, sockets and key files."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from broker.app import Broker, running
from broker.clock import BootClock
from broker.fakeiam.server import FakeIam
from broker.identity.sources import Sources
from broker.settings import Settings


def key_folder(folder: Path, key_id: str, secret: str) -> Path:
    """An access key as people lay it out."""
    folder.mkdir(mode=0o700)
    for name, text in (("id", key_id), ("secret", secret)):
        (folder / name).touch(0o600)
        (folder / name).write_text(text)
    return folder


def settings(folder: Path, identities: Mapping[str, Mapping[str, object]], **tables: object) -> Settings:
    """Settings with the socket `folder/s` and the cache `folder/cache`; without an audit trail, unless `tables` has one."""
    usual = {
        "listen": [{"unix": str(folder / "s")}],
        "cache": {"path": str(folder / "cache")},
        "log": {"audit": "off"},
    }
    return Settings.model_validate({**usual, "identities": identities, **tables})


@asynccontextmanager
async def whole(folder: Path, iam: FakeIam, patience: float = 10.0) -> AsyncIterator[Broker]:
    """A broker with the identity `default` for the emulator's own key; IAM may take `patience` seconds to answer."""
    async with iam.serve() as url:
        keys = key_folder(folder / "keys", iam.key.id, iam.key.secret)
        tree = settings(folder, {"default": {"keys": [str(keys)]}}, iam={"url": url, "timeout": patience})
        async with running(tree, Sources({}), BootClock()) as broker:
            yield broker


async def get(path: Path, target: str, *headers: str) -> tuple[int, dict[str, Any]]:
    """Status and JSON of one request, by hand, so that no client library is part of the proof."""
    reader, writer = await asyncio.open_unix_connection(path)
    lines = [f"GET {target} HTTP/1.1", "Host: broker", "Connection: close", *headers, "", ""]
    writer.write("\r\n".join(lines).encode())
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    return int(head.split()[1]), json.loads(body)


async def until(condition: Callable[[], object]) -> None:
    """Let the loop turn until something has come about."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110  (what is watched knows nothing of events)
            await asyncio.sleep(0.005)
