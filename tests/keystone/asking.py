"""What a workload asks of Keystone: bare requests, sharing no code with the broker; any `World` will do."""

import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from tests.contracts.world import Key, World

JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True)
class Issued:
    """The answer to an issue, refusals included; `token` is empty then."""

    status: int
    token: str
    body: dict[str, Any]

    @property
    def roles(self) -> set[str]:
        return {role["name"] for role in self.body["token"]["roles"]}


def by_id(key: Key) -> dict[str, object]:
    """The first of the two ways to name an access key."""
    return {"id": key.id, "secret": key.secret}


def by_name(key: Key) -> dict[str, object]:
    """The second: the owner's id and the key's name."""
    return {"name": key.name, "secret": key.secret, "user": {"id": key.user_id}}


async def issue(world: World, credential: Mapping[str, object], headers: Mapping[str, str] = JSON) -> Issued:
    """POST for a token."""
    identity = {"methods": ["application_credential"], "application_credential": credential}
    data = json.dumps({"auth": {"identity": identity}}).encode()
    async with (
        # Else aiohttp adds a Content-Type of its own, and an absent one could not be tried.
        aiohttp.ClientSession(skip_auto_headers=["Content-Type"]) as session,
        session.post(f"{world.url}/auth/tokens", data=data, headers=headers, ssl=_trust(world)) as answer,
    ):
        return Issued(answer.status, answer.headers.get("X-Subject-Token", ""), await answer.json())


async def validate(world: World, token: str) -> int:
    """GET the token by itself; the status says whether it lives."""
    headers = {"X-Auth-Token": token, "X-Subject-Token": token}
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{world.url}/auth/tokens?nocatalog", headers=headers, ssl=_trust(world)) as answer,
    ):
        return answer.status


def _trust(world: World) -> ssl.SSLContext | bool:
    return ssl.create_default_context(cafile=world.ca_file) if world.ca_file else True
