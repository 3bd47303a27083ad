"""What holds for every run of the tests.

- `tests.tls` stands before the fixtures that import it: pytest rewrites asserts only in what it sees first.
- Hypothesis draws the same examples on every CI run, so that a red run is red again; elsewhere it looks for new ones.
- Each run ends by saying how many tests met a real Keystone, zero included: without them the emulator vouches for
  itself.
"""

import os
from collections.abc import Generator

import pytest
from hypothesis import settings

pytest_plugins = ["tests.tls", "tests.keystone.fixtures"]

# Deadlines measure the machine, not the code.
settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("local", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "local")

KEYSTONE_TESTS = pytest.StashKey[set[str]]()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Remember whose results to count; a report itself does not tell a marker from a folder's name."""
    config.stash[KEYSTONE_TESTS] = {item.nodeid for item in items if item.get_closest_marker("keystone")}


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Generator[None]:
    """After all other summaries, how many tests met a real Keystone."""
    yield
    marked = terminalreporter.config.stash.get(KEYSTONE_TESTS, set())

    def ended(*outcomes: str) -> set[str]:
        reports = (report for outcome in outcomes for report in terminalreporter.stats.get(outcome, []))
        return {report.nodeid for report in reports} & marked

    # A test that passes and then fails to clean up has failed.
    failed = ended("failed", "error")
    passed = ended("passed") - failed
    skipped = ended("skipped") - failed
    terminalreporter.write_line(
        f"tests against a real Keystone: {len(passed)} passed, {len(failed)} failed, {len(skipped)} skipped"
    )
