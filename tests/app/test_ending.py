"""The end of a broker with many identities, in the middle of a tick."""

import asyncio
from pathlib import Path

import pytest

from broker.app import running
from broker.clock import BootClock
from broker.fakeiam.server import FakeIam
from broker.identity.sources import Sources
from broker.keeper import keyring
from tests.app.whole import key_folder, settings

NAMES = [f"i{place}" for place in range(200)]


async def test_a_tick_does_not_go_on_after_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Its next parts would have ended keepers validate tokens, by clients that are closed."""
    iam = FakeIam()
    monkeypatch.setattr(keyring, "_AT_ONCE", 1)
    async with iam.serve() as url:
        keys = str(key_folder(tmp_path / "keys", iam.key.id, iam.key.secret))
        tree = settings(tmp_path, {name: {"keys": [keys]} for name in NAMES}, iam={"url": url})
        async with running(tree, Sources({}), BootClock()) as broker:
            broker.desk.keyring.tick()
        left = len(broker.desk.keyring._waiting)
        assert left
        for _ in range(10):
            await asyncio.sleep(0)
        assert len(broker.desk.keyring._waiting) == left
