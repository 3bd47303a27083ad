"""Every test here runs with the express lane and without it, and gives logging back as it was."""

from collections.abc import Iterator

import pytest

from tests.observability.restored import logging_as_it_was
from tests.serving.house import WAYS

__all__ = ["logging_as_it_was"]


WITH = pytest.param(True, id="lane")
WITHOUT = pytest.param(False, id="no lane", marks=pytest.mark.no_lane)


@pytest.fixture(params=[WITH, WITHOUT], autouse=True)
def lane(request: pytest.FixtureRequest) -> Iterator[bool]:
    """Which of the two ways it is."""
    WAYS.lane = request.param
    yield request.param
    WAYS.lane = True
