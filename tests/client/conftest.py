"""Each test of a client holds for both."""

import pytest

from broker.client import AsyncTokenClient, TokenClient
from tests.client.both import Both


@pytest.fixture(params=[TokenClient, AsyncTokenClient])
def both(request: pytest.FixtureRequest) -> Both:
    return Both(request.param)
