"""One browser, one evil server and one besieged broker for all of these tests, and what they measured, at the end.

All live in one event loop, that of the session; each test asks for it by `loop_scope`.
"""

import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.browser.chromium import Chromium, chromium, find
from tests.browser.evil import Evil
from tests.browser.siege import Siege, siege
from tests.e2e.spoken import SPOKEN

MB = 2**20
FIGURES = pytest.StashKey[list[str]]()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Chromium]:
    """The browser, with an empty profile."""
    command = find()
    if command is None:
        pytest.skip("there is no Chromium here: install `chromium`, or name one in $CHROMIUM")
    async with chromium(command, tmp_path_factory.mktemp("browser")) as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def evil() -> AsyncIterator[Evil]:
    """The evil server."""
    async with Evil().serving() as serving:
        yield serving


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def besieged(
    browser: Chromium, tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> AsyncIterator[Siege]:
    """The broker that is attacked by all of these tests."""
    began = time.monotonic()
    async with siege(tmp_path_factory.mktemp("siege"), browser) as laid:
        first = await laid.counted()
        yield laid
        last = await laid.counted()
        pytestconfig.stash[FIGURES] = [
            f"attempts that came to the broker: {laid.came}, in {time.monotonic() - began:.1f} s",
            f"refused: {dict(last.refused - first.refused)}; answered over TCP: {dict(last.answered)}",
            f"tokens over TCP: {last.tokens}, all of them the honest program's {laid.honest}",
            f"memory of the broker: {first.resident / MB:.1f} MB before, {last.resident / MB:.1f} MB after",
            f"its loop was late by {laid.lag * 1000:.0f} ms at the most",
        ]
    SPOKEN.check_all()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """What was measured, where these tests have run."""
    for line in config.stash.get(FIGURES, []):
        terminalreporter.write_line(line)
