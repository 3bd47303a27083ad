"""The Keystones that a test may have: one shared for the whole run, and its own where it needs another kind.

Named in `pytest_plugins` after `tests.tls`, which it imports and which pytest must see first. A missing Keystone is a failure, not a skip: a proof that
did not run must not look like one that held.
"""

import os
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Protocol

import pytest

from tests.keystone.copies import Stem
from tests.keystone.process import HALF_A_DAY, Keystone
from tests.keystone.world import KeystoneWorld
from tests.tls import ServerTls
from tests.venvs import KEYSTONE

SKIP_VARIABLE = "KAKAOCLOUD_BROKER_SKIP_KEYSTONE"


class StartKeystone(Protocol):
    """Starts a Keystone for one test, which ends with it."""

    def __call__(
        self, *, life: int = HALF_A_DAY, tls: ServerTls | None = None, require_content_type: bool = True
    ) -> Awaitable[KeystoneWorld]: ...


@pytest.fixture(scope="session")
def keystone_stem() -> Iterator[Stem]:
    """What all Keystones of this run are copies of."""
    if os.environ.get(SKIP_VARIABLE) == "1":
        pytest.skip(f"{SKIP_VARIABLE}=1: tests against a real Keystone are left out on purpose")
    if not KEYSTONE.is_current():
        pytest.fail(
            f"the tests' Keystone is not installed, or not from today's lock: run `make keystone`, or set "
            f"{SKIP_VARIABLE}=1 to go without",
            pytrace=False,
        )
    stem = Stem()
    yield stem
    stem.end()


@pytest.fixture(scope="session")
def keystone_world(keystone_stem: Stem, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeystoneWorld]:
    """The shared Keystone: plain HTTP, tokens of 12 hours. Make your own users; never stop it."""
    process = Keystone(keystone_stem, tmp_path_factory.mktemp("keystone"))
    process.launch()
    yield KeystoneWorld(process)
    process.halt()


@pytest.fixture
async def start_keystone(keystone_stem: Stem, tmp_path: Path) -> AsyncIterator[StartKeystone]:
    """Start Keystones of the test's own; each may be stopped and started again by its `process`."""
    async with AsyncExitStack() as stack:
        count = 0

        async def start(
            *, life: int = HALF_A_DAY, tls: ServerTls | None = None, require_content_type: bool = True
        ) -> KeystoneWorld:
            nonlocal count
            count += 1
            folder = tmp_path / f"keystone-{count}"
            process = Keystone(
                keystone_stem, folder, life=life, tls=tls, require_content_type=require_content_type
            )
            return KeystoneWorld(await stack.enter_async_context(process))

        yield start
