"""A page that was served under the broker's own address: by whoever had the port before, or has it on the other loopback.

Such a page is `same-origin` to the broker by every name that the gate of the host allows, and may send any header.
"""

import json
from pathlib import Path

import pytest

from tests.browser.chromium import Chromium
from tests.browser.evil import Evil
from tests.browser.rebinding import rebind
from tests.browser.test_counter_proof import ALL, TOKEN, door

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


@pytest.mark.parametrize("name", ["localhost", "localhost."])
async def test_a_page_of_who_had_the_port_before_gets_nothing(
    name: str, evil: Evil, browser: Chromium, tmp_path: Path
) -> None:
    async with door(tmp_path, ALL) as (_, opened):
        report = await rebind(evil, browser, name, opened.port)
    assert TOKEN not in json.dumps(report)
