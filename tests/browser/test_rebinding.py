"""DNS rebinding against the real broker: the page is of the broker's own origin to the browser, and not to the broker.

Such a page may send any header, and a browser tells no `Sec-Fetch-Site` to a name that it does not trust: the gate of the
host stands alone here.
"""

import json

import pytest

from tests.browser.chromium import Chromium
from tests.browser.evil import Evil
from tests.browser.rebinding import rebind
from tests.browser.siege import Siege

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

NAMES = (
    "rebind.test",
    "dot.test.",
    "UPPER.TEST",
    "localhost.evil.test",
    "127.0.0.1.nip.test",
    "localhost.test.",
    "x.localhost",
)
ASKED = 9  # by `rebound` of pages/rebinding.js
HOST = "host_not_allowed"


@pytest.mark.parametrize("name", NAMES)
async def test_a_rebinding_page_reads_nothing_but_refusals(
    name: str, besieged: Siege, evil: Evil, browser: Chromium
) -> None:
    """Rule: whatever it asks, with each header that programs send, is refused for its host."""
    since = await besieged.counted()
    report = await rebind(evil, browser, name, besieged.ports[0], besieged.digest)
    await besieged.be_honest()
    await besieged.refused(HOST, since, ASKED)
    assert len(report["could"]) == ASKED
    assert all(HOST in json.dumps(each) for each in report["could"].values()), "it was not of that origin"
    assert besieged.token not in json.dumps(report)
