"""A workload's side of the socket: raw HTTP by aiohttp, sharing no code with the broker's own client."""

import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp

from tests.e2e.spoken import SPOKEN

TIMEOUT = 40.0  # more than the longest wait that a caller may ask for


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer read to its end."""

    status: int
    headers: Mapping[str, str]
    body: dict[str, Any]
    seconds: float  # from the request to the last byte
    at: datetime  # when it was there

    @property
    def expires_at(self) -> datetime:
        return datetime.fromisoformat(self.body["expires_at"])


class Client:
    """Asks one broker; every token it is given is a secret from then on."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def get(self, path: str, *, wait: int | None = None) -> Answer:
        began = time.monotonic()
        headers = {} if wait is None else {"Prefer": f"wait={wait}"}
        async with self._session.get(f"http://broker{path}", headers=headers) as response:
            body = json.loads(await response.read())
        if "token" in body:
            SPOKEN.guard(body["token"], "a token")
        return Answer(response.status, response.headers, body, time.monotonic() - began, datetime.now(UTC))

    async def text(self, path: str) -> str:
        """An answer that is no JSON."""
        async with self._session.get(f"http://broker{path}") as response:
            assert response.status == 200
            return await response.text()

    async def token(self, identity: str | None = None, *, wait: int | None = None) -> Answer:
        """The token of an identity, by default the caller's own."""
        path = "/v1/token" if identity is None else f"/v1/identities/{identity}/token"
        return await self.get(path, wait=wait)


@asynccontextmanager
async def client_of(socket: Path) -> AsyncIterator[Client]:
    """A client with as many connections as it has requests."""
    connector = aiohttp.UnixConnector(str(socket), limit=0)
    timeout = aiohttp.ClientTimeout(total=TIMEOUT)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        yield Client(session)


def connections(socket: Path) -> int:
    """How many connections to this socket the kernel counts, those that wait to be accepted included."""
    rows = Path("/proc/net/unix").read_text().splitlines()[1:]
    return sum(row.endswith(f" {socket}") and row.split()[5] == "03" for row in rows)
