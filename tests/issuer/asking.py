"""What the socket tests share: a Keystone under test, a clock that cannot be misread, a key and a token."""

import contextlib
from collections.abc import AsyncIterator, Awaitable
from datetime import datetime
from pathlib import Path

import pytest

from broker.core.errors import Fault, IamError
from broker.core.model import KeyById, Named, Token
from broker.core.secret import Secret
from broker.issuer.keystone import Endpoint, Keystone
from tests.issuer.replies import KEY_ID, SECRET, TOKEN, USER_ID

KEY = KeyById(KEY_ID, Secret(SECRET))


class CountingClock:
    """Reads 50, 51, 52...; whoever asks for the wall clock fails the test."""

    def __init__(self) -> None:
        self._next = 49.0

    def now(self) -> float:
        self._next += 1
        return self._next

    def wall(self) -> datetime:
        raise AssertionError("the issuer never reads the wall clock")

    def suspended(self) -> float:
        raise AssertionError("the issuer does not ask for sleep")

    async def wait(self, change: Awaitable[object], until: float) -> None:  # noqa: ARG002 - the port's signature
        raise AssertionError("the issuer does not wait on the clock")


def token(user_id: str = USER_ID, key_id: str | None = KEY_ID) -> Token:
    value = Secret(TOKEN)
    return Token(
        value=value,
        digest=value.sha256(),
        issued_at="2026-10-02T08:00:00.000000Z",
        expires_at="2026-10-02T20:00:00.000000Z",
        user=Named(user_id, "robot"),
        project=Named("p1", "shop"),
        roles=(),
        key_expires_at=None,
        body=b"{}",
        key_id=key_id,
    )


@contextlib.asynccontextmanager
async def asking(
    url: str,
    seen: list[tuple[str, str, float]] | None = None,
    *,
    ca_file: Path | None = None,
    patience: float = 5.0,
    insecure: bool = False,
) -> AsyncIterator[Keystone]:
    seen = [] if seen is None else seen
    endpoint = Endpoint(url, ca_file, timeout=patience, insecure=insecure)
    async with Keystone(endpoint, CountingClock(), lambda *event: seen.append(event)) as keystone:
        yield keystone


async def failure(attempt: Awaitable[object], fault: Fault) -> IamError:
    """The error that an attempt must end in."""
    with pytest.raises(IamError) as caught:
        await attempt
    assert caught.value.fault is fault, caught.value.detail
    return caught.value
