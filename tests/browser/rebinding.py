"""DNS rebinding, done for real: a page of the evil server has the broker for its own origin a moment later.

- The name has two addresses. At first the evil server is at [::1] and at the broker's port, and the browser loads the page
  from there. Then nobody is, the browser takes the other address, 127.0.0.1, and asks the broker: by the same name, at the
  same port, with its own connection, as same-origin as can be.
- A name serves once for a port: afterwards the browser has an open connection to the broker under it.
"""

import json

from tests.browser.chromium import Chromium
from tests.browser.evil import Evil, Report
from tests.callers.loopback import skip_without


async def rebind(evil: Evil, browser: Chromium, name: str, port: int, digest: str = "0" * 64) -> Report:
    """What the page could read of the broker at this port, by path; `digest` is what it reports."""
    skip_without("::1")
    body = json.dumps({"sha256": digest})
    with evil.expected(name):
        async with evil.rebinding(port):
            query = evil.query(name, "rebound", body=body)
            async with browser.page(f"http://{name}:{port}/?{query}"):
                report = await evil.report(name)
    assert report["origin"] == f"http://{name.lower()}:{port}"
    return report
