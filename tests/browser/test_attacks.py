"""What a page of another origin may try: it comes to the broker, is refused there, and reads nothing, not even the refusal."""

import json
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.browser.attempts import ATTEMPTS, Attempt
from tests.browser.chromium import Chromium
from tests.browser.evil import Evil
from tests.browser.siege import Siege
from tests.callers.loopback import skip_without

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


def _address(attempt: Attempt, evil: Evil, folder: Path) -> str:
    """Where the page of this attempt is; one without a server has its script from the evil one."""
    if not attempt.do:
        return attempt.page
    query = evil.query(attempt.name, attempt.do, **attempt.orders)
    if attempt.page.startswith("http:"):
        return f"{attempt.page}/?{query}"
    text = evil.html(query, evil.url)
    if attempt.page == "data:":
        return f"data:text/html,{quote(text)}"
    file = folder / "evil.html"
    file.write_text(text)
    return file.as_uri()


@pytest.mark.parametrize("attempt", ATTEMPTS, ids=lambda attempt: attempt.name)
async def test_a_page_of_another_origin_gets_nothing(
    attempt: Attempt, besieged: Siege, evil: Evil, browser: Chromium, tmp_path: Path
) -> None:
    """Rule: refused for the reason of its table, while an honest program is served; nothing to be read."""
    if "[" in attempt.to:
        skip_without("::1")
    port, port6 = besieged.ports
    filled = attempt.filled(port=port, port6=port6, evil=evil.port, digest=besieged.digest)
    since, read = await besieged.counted(), ""
    with evil.expected(attempt.name):
        async with browser.page(_address(filled, evil, tmp_path)):
            await besieged.be_honest()
            if attempt.reports:
                read = json.dumps(await evil.report(attempt.name))
            await besieged.refused(attempt.refused, since)
    assert besieged.token not in read
    assert attempt.refused not in read, "the page could read what it was told"
