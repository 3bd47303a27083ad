"""The same attacks where gates are missing succeed: it is the gates that stop them, and these tests would see it."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from broker.core.access import Workload
from broker.serving.doorway import Gate
from broker.serving.gates import loopback_gates
from tests.browser.attempts import ATTEMPTS
from tests.browser.chromium import Chromium
from tests.browser.evil import Evil
from tests.browser.rebinding import rebind
from tests.serving.house import House, TcpDoor, house, tcp_door

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

ALL = loopback_gates(frozenset())
TOKEN = "token-of-default"


@asynccontextmanager
async def door(folder: Path, gates: tuple[Gate, ...]) -> AsyncIterator[tuple[House, TcpDoor]]:
    """A broker in this process that believes everybody to be proven."""
    async with house(folder, "default") as inside:
        await inside.issued()
        proven = Workload(uid=1234, gid=None, pid=None, listener="over TCP")
        async with tcp_door(inside, "127.0.0.1", gates, lambda _: proven) as opened:
            yield inside, opened


@pytest.mark.parametrize(
    "gates",
    [
        pytest.param((), id="no gates"),
        pytest.param(loopback_gates(frozenset({"rebind.test"})), id="a host's gate that allows the name"),
    ],
)
async def test_a_rebinding_page_gets_the_token_where_its_host_is_let_in(
    gates: tuple[Gate, ...], evil: Evil, browser: Chromium, tmp_path: Path
) -> None:
    """Rule: by fetch and by XMLHttpRequest; all other gates together do not stop it."""
    async with door(tmp_path, gates) as (_, opened):
        report = await rebind(evil, browser, "rebind.test", opened.port)
    assert TOKEN in report["could"]["/v1/token"]["text"]
    assert TOKEN in report["could"]["xhr"]["text"]


@pytest.mark.parametrize("name", ["form that reports", "opaque fetch"])
async def test_a_page_of_another_origin_has_the_token_sent_without_gates(
    name: str, evil: Evil, browser: Chromium, tmp_path: Path
) -> None:
    """Rule: the browser is given the token, and its own walls are the last ones."""
    attempt = next(each for each in ATTEMPTS if each.name == name)
    async with door(tmp_path, ()) as (inside, opened):
        filled = attempt.filled(port=opened.port, port6=opened.port, evil=evil.port, digest="0" * 64)
        with evil.expected(name):
            async with browser.page(f"{filled.page}/?{evil.query(name, filled.do, **filled.orders)}"):
                report = await evil.report(name)
        assert inside.books.tokens == [("default", opened.label)]
    assert TOKEN not in json.dumps(report)
