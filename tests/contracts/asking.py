"""Asking a world: through the broker's issuer, and bare.

The issuer's errors name the status they come from, so a case can hold both to account at once: what IAM answered and
what the broker made of it.
"""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from broker.clock import BootClock
from broker.core.errors import Fault, IamError
from broker.core.model import KeyById, KeyByName
from broker.core.secret import Secret
from broker.issuer.keystone import Endpoint, Keystone
from tests.contracts.world import Key, World

PREFIX = "/identity/v3"
JSON = {"Content-Type": "application/json"}
# Seconds that a token of a brief world lives. The broker refuses one that arrives with less than two, floored as they are.
BRIEF = 5
MOST_PATIENCE = 20.0  # seconds, for an end that comes by itself
_PACE = 0.03  # seconds between two questions; without, asking for seconds would keep the whole machine busy


def by_id(key: Key) -> KeyById:
    """KakaoCloud's method 1."""
    return KeyById(key.id, Secret(key.secret))


def by_name(key: Key) -> KeyByName:
    """KakaoCloud's method 2."""
    return KeyByName(key.name, key.user_id, Secret(key.secret))


@asynccontextmanager
async def asking(world: World, *, url: str | None = None, trusting: bool = True) -> AsyncIterator[Keystone]:
    """The issuer, at another address or without the private CA where a case says so."""
    ca_file = Path(world.ca_file) if world.ca_file and trusting else None
    async with Keystone(Endpoint(url or world.url, ca_file), BootClock()) as issuer:
        yield issuer


async def failing(attempt: Awaitable[object], fault: Fault) -> IamError:
    """The error that an attempt must end in."""
    with pytest.raises(IamError) as caught:
        await attempt
    assert caught.value.fault is fault, caught.value.detail
    return caught.value


async def ends(attempt: Awaitable[object], status: int) -> None:
    """Check that IAM answers with this status, and that 401 and 404 mean death to the broker."""
    if status < 300:
        await attempt
        return
    error = await failing(attempt, Fault.REJECTED)
    assert f"({status})" in error.detail


async def outlive(question: Callable[[], Awaitable[object]], *still: Fault) -> None:
    """Ask until IAM says dead; `still` is what it may say before, besides what is right.

    Which of 401 and 404 comes first is left open: Keystone looks at a token twice for one validation, and the asking
    here finds the moment in between.
    """
    async with asyncio.timeout(MOST_PATIENCE):
        while (fault := await fault_of(question())) is not Fault.REJECTED:
            assert fault is None or fault in still
            await asyncio.sleep(_PACE)


async def fault_of(attempt: Awaitable[object]) -> Fault | None:
    """How an attempt failed; None when it did not."""
    try:
        await attempt
    except IamError as error:
        return error.fault
    return None


@dataclass(frozen=True, slots=True)
class Answer:
    """A bare answer; `body` is its JSON, None where it is no JSON."""

    status: int
    headers: Mapping[str, str]  # of any case
    body: Any

    @property
    def token(self) -> str:
        return self.headers.get("X-Subject-Token", "")


async def ask(
    world: World, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
) -> Answer:
    """One request, by a path from the root of the server; `bytes` are sent as they are, the rest as JSON."""
    data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    trust = ssl.create_default_context(cafile=world.ca_file) if world.ca_file else True
    async with (
        # Else the library adds a Content-Type of its own, and an absent one could not be tried.
        aiohttp.ClientSession(skip_auto_headers=["Content-Type"]) as session,
        session.request(
            method,
            world.url.removesuffix(PREFIX) + path,
            data=data,
            headers=headers,
            ssl=trust,
            allow_redirects=False,
        ) as answer,
    ):
        text = await answer.text()
        is_json = answer.content_type == "application/json" and text
        return Answer(answer.status, answer.headers, json.loads(text) if is_json else None)


async def post(world: World, identity: object, headers: Mapping[str, str] = JSON, **more: object) -> Answer:
    """A bare POST for a token."""
    return await ask(
        world, "POST", f"{PREFIX}/auth/tokens", {"auth": {"identity": identity, **more}}, headers
    )


def with_key(key: Key) -> dict[str, object]:
    """The identity of a bare POST that presents an access key."""
    return {
        "methods": ["application_credential"],
        "application_credential": {"id": key.id, "secret": key.secret},
    }


def with_token(token: str) -> dict[str, object]:
    """The identity of a bare POST that wants a new token for an old one."""
    return {"methods": ["token"], "token": {"id": token}}


def itself(token: str) -> dict[str, str]:
    """The headers with which a token asks about itself."""
    return {"X-Auth-Token": token, "X-Subject-Token": token}
