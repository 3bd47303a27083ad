"""Both clients, in a thread and on a loop, as one; and a good answer."""

import asyncio
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from broker.client import AsyncTokenClient, Rejection, Token, TokenClient
from tests.client.scripted import answered

TREE = {
    "identity": "shop",
    "token": "gAAAAABcanary",
    "issued_at": "2026-11-24T10:00:00.000000Z",
    "expires_at": "2026-11-24T22:00:00.000000Z",
    "expires_in": 41873,
    "stale": False,
    "project": {"id": "p1", "name": "web"},
    "user": {"id": "u1", "name": "robot"},
    "roles": ["member", "reader"],
    "key_expires_at": "2027-01-01T00:00:00",
}
GOOD = answered(200, TREE)


class Both:
    """One client, whichever it is."""

    def __init__(self, kind: Callable[..., TokenClient | AsyncTokenClient]) -> None:
        self.kind = kind

    async def token(self, *args: object, min_ttl: float | None = None, **own: Any) -> Token:  # noqa: ANN401
        return cast("Token", await come(self.kind(*args, **own).token, min_ttl=min_ttl))

    async def reject(self, token: object, *args: object, **own: Any) -> Rejection:  # noqa: ANN401
        return cast("Rejection", await come(self.kind(*args, **own).reject, token))


async def come(call: Callable[..., Any], *args: object, **how: object) -> Any:  # noqa: ANN401
    if inspect.iscoroutinefunction(call):
        return await call(*args, **how)
    return await asyncio.to_thread(call, *args, **how)


def at(path: Path) -> str:
    """The broker at the socket `s` of this folder."""
    return f"unix://{path}/s"
