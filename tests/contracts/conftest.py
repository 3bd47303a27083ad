"""The worlds that every case runs on, and the broker's issuer pointed at them.

- `world` is the emulator, started for the test, or the Keystone that the whole run shares; make your own users.
- `brief_world` serves TLS by a private CA, and its tokens live `BRIEF` seconds; its Keystone serves one module.
"""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from broker.issuer.keystone import Keystone
from tests.contracts.asking import BRIEF, asking
from tests.contracts.fake_world import FakeWorld, private_tls
from tests.contracts.world import World
from tests.keystone.copies import Stem
from tests.keystone.process import Keystone as KeystoneProcess
from tests.keystone.world import KeystoneWorld
from tests.tls import ServerTls

WORLDS = ["fakeiam", pytest.param("keystone", marks=pytest.mark.keystone)]


@pytest.fixture(autouse=True)
def _no_proxy_around(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.fixture(params=WORLDS)
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """Tokens of 12 hours over plain HTTP."""
    # Asked for by name, so that the emulator's cases do without a Keystone.
    if request.param == "keystone":
        yield request.getfixturevalue("keystone_world")
        return
    async with FakeWorld.serving() as fake:
        yield fake


@pytest.fixture
async def iam(world: World) -> AsyncIterator[Keystone]:
    """The broker's issuer, configured with `world`."""
    async with asking(world) as issuer:
        yield issuer


@pytest.fixture(scope="module")
def brief_keystone(
    keystone_stem: Stem, server_tls: ServerTls, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[KeystoneWorld]:
    folder = tmp_path_factory.mktemp("brief-keystone")
    process = KeystoneProcess(keystone_stem, folder, life=BRIEF, tls=server_tls)
    process.launch()
    yield KeystoneWorld(process)
    process.halt()


@pytest.fixture(params=WORLDS)
async def brief_world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    """Tokens of `BRIEF` seconds over TLS by a private CA."""
    if request.param == "keystone":
        yield request.getfixturevalue("brief_keystone")
        return
    context, ca_file = private_tls(tmp_path)
    async with FakeWorld.serving(life=BRIEF, ssl_context=context, ca_file=ca_file) as fake:
        yield fake
