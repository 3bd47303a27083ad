"""Logging is the process's: a test that configures it gives it back as it was."""

import logging
from collections.abc import Iterator

import pytest
import structlog


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    names = (None, "apscheduler", "asyncio", "aiohttp")
    levels = {name: logging.getLogger(name).level for name in names}
    handlers, shown = logging.getLogger().handlers[:], logging.raiseExceptions
    yield
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    logging.getLogger().handlers[:] = handlers
    logging.raiseExceptions = shown
    structlog.reset_defaults()
