"""A folder that is usable."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.store.folder import cache_folder
from tests.store.kept import House


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with cache_folder(tmp_path / "cache") as folder:
        assert folder.trouble is None
        yield House(folder)
