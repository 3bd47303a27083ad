"""A small client of the emulator over a real socket."""

from dataclasses import dataclass
from typing import Any

import aiohttp

from broker.fakeiam.model import Key
from broker.fakeiam.server import FakeIam


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer read to its end."""

    status: int
    headers: dict[str, str]
    body: bytes
    tree: Any


@dataclass(frozen=True, slots=True)
class Client:
    """Sends requests to one served emulator."""

    iam: FakeIam
    url: str
    session: aiohttp.ClientSession

    async def send(self, method: str, path: str, **options: Any) -> Reply:  # noqa: ANN401  (aiohttp's own)
        async with self.session.request(
            method, self.url + path, allow_redirects=False, **options
        ) as response:
            body = await response.read()
            is_json = response.content_type == "application/json" and body
            tree = await response.json() if is_json else None
            return Reply(response.status, dict(response.headers), body, tree)

    async def issue(self, key: Key | None = None, **options: Any) -> Reply:  # noqa: ANN401  (aiohttp's own)
        return await self.send("POST", "/auth/tokens", json=request_body(key or self.iam.key), **options)

    async def validate(self, token: str, method: str = "GET") -> Reply:
        return await self.send(method, "/auth/tokens?nocatalog", headers=both(token))

    async def token(self, key: Key | None = None) -> str:
        return (await self.issue(key)).headers["x-subject-token"]

    async def control(self, method: str, path: str, body: str = "", **options: Any) -> Reply:  # noqa: ANN401  (aiohttp's own)
        root = self.url.removesuffix("/identity/v3")
        async with self.session.request(method, f"{root}/_fake{path}", data=body, **options) as response:
            return Reply(response.status, dict(response.headers), b"", await response.json())


def request_body(key: Key) -> dict[str, Any]:
    """The body that asks for a token by the key's id."""
    credential = {"id": key.id, "secret": key.secret}
    return {
        "auth": {"identity": {"methods": ["application_credential"], "application_credential": credential}}
    }


def both(token: str) -> dict[str, str]:
    """The headers with which a token validates itself."""
    return {"X-Auth-Token": token, "X-Subject-Token": token}
