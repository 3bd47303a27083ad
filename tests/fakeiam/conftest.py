"""An emulator whose time stands still, alone and on a socket."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from broker.fakeiam.server import FakeIam
from tests.fakeiam.client import Client
from tests.fakeiam.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def iam(clock: Clock) -> FakeIam:
    async def sleep(seconds: float) -> None:
        clock.forward(seconds)

    return FakeIam(clock=clock, sleep=sleep)


@pytest.fixture
async def client(iam: FakeIam) -> AsyncIterator[Client]:
    async with iam.serve() as url, aiohttp.ClientSession() as session:
        yield Client(iam, url, session)
