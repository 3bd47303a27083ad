"""A served broker whose IAM gives a token whenever it is asked for one, and says which tokens have died."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from broker.keeper.setting import Validation
from tests.fakes.issuer import FakeIssuer
from tests.serving.house import House, house, until

DEAD, FRESH = "token-of-default", "fresh"
# What IAM answers with each of them.
BODY = {
    "token": {
        "methods": ["application_credential"],
        "user": {"id": "u1", "name": "robot", "domain": {"id": "d", "name": "kakao"}},
        "project": {"id": "p1", "name": "web", "domain": {"id": "d", "name": "kakao"}},
        "roles": [{"id": "r1", "name": "member"}],
        "catalog": [
            {
                "type": "identity",
                "id": "c1",
                "name": "keystone",
                "endpoints": [
                    {"id": "e1", "interface": "public", "region": "r", "region_id": "r", "url": "https://iam.example/v3"}
                ],
            }
        ],
        "issued_at": "2026-11-24T10:00:00.000000Z",
        "expires_at": "2036-11-24T22:00:00.000000Z",
    }
}  # fmt: skip


@asynccontextmanager
async def answering(folder: Path) -> AsyncIterator[House]:
    """Its first token is DEAD once `kill` says so, and the next one FRESH, fresh-2 and so on."""
    async with house(folder, "default", validation=Validation()) as broker:
        broker.keyring["default"].observe()
        await until(lambda: broker.issuers["default"].calls)
        _give(broker.issuers["default"], DEAD)
        await until(lambda: broker.keyring["default"].lease.held)
        await broker.clock.advance(2)
        broker.keyring.observe()
        await until(lambda: broker.keyring["default"].lease.watch.evidence)
        granting = asyncio.create_task(_grant(broker.issuers["default"]))
        try:
            yield broker
        finally:
            granting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await granting


def kill(broker: House, token: str = DEAD) -> None:
    """From now on IAM calls it dead; the broker does not know that yet."""
    broker.issuers["default"].dead.add(token)


def reports(broker: House) -> int:
    """How many the broker has had."""
    return sum(route.endswith("/rejections") for _, route, _ in broker.books.requests)


def url(broker: House) -> str:
    """Where its clients ask."""
    return f"unix://{broker.path}"


async def _grant(issuer: FakeIssuer) -> None:
    given = 0
    while True:
        if issuer.calls:
            given += 1
            _give(issuer, FRESH if given == 1 else f"{FRESH}-{given}")
        await asyncio.sleep(0.002)


def _give(issuer: FakeIssuer, token: str) -> None:
    issuer.grant(token, body=json.dumps(BODY).encode())
