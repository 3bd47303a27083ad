"""What holds for every run of the tests.

- `tests.tls` stands before the fixtures that import it: pytest rewrites asserts only in what it sees first.
- Hypothesis draws the same examples on every CI run, so that a red run is red again; elsewhere it looks for new ones.
"""

import os
import signal
from pathlib import Path

import pytest
from hypothesis import settings

pytest_plugins = ["tests.tls", "tests.keystone.fixtures", "tests.whole_run"]

# Deadlines measure the machine, not the code.
settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("local", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "local")


# A shell has what it runs in the background ignore these, and all that is started from there inherits it.
for ignored in (signal.SIGINT, signal.SIGQUIT):
    if signal.getsignal(ignored) is signal.SIG_IGN:
        signal.signal(ignored, signal.default_int_handler if ignored is signal.SIGINT else signal.SIG_DFL)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Who has a longer time limit of its own begins first, and who runs processes before who does not.

    Those wait more than they work: beside them the other worker uses the machine, and no long one is left for the end.
    """

    def place(item: pytest.Item) -> tuple[float, bool]:
        limit = item.get_closest_marker("timeout")
        return -(limit.args[0] if limit else 0.0), item.get_closest_marker("e2e") is None

    items.sort(key=place)


@pytest.fixture
def tmp_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Numbered, not named: a socket's path has 107 bytes, and a worker's folder with a test's name in it takes most of them."""
    return tmp_path_factory.mktemp("t")
