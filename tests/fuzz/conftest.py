"""One broker for all the examples of a file."""

from collections.abc import Iterator

import pytest

from tests.fuzz.standing import Standing, standing


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standing]:
    with standing(tmp_path_factory.mktemp("fuzz")) as found:
        yield found
