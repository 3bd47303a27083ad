"""A broker that is killed again and again: IAM is not flooded, whatever the cache is, and it always starts.

Six kills each; KAKAOCLOUD_BROKER_LONG=1 makes them fifty, as many as two minutes hold.
"""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.contracts.fake_world import FakeWorld
from tests.e2e import keys
from tests.e2e.conftest import Figures
from tests.e2e.daemon import Daemon

pytestmark = pytest.mark.e2e

KILLS = 50 if os.environ.get("KAKAOCLOUD_BROKER_LONG") == "1" else 6


def corrupt(folder: Path) -> None:
    for file in folder.iterdir() if folder.is_dir() else ():
        if file.is_file() and (content := bytearray(file.read_bytes())):
            content[len(content) // 2] ^= 1
            file.write_bytes(content)


def leave(folder: Path) -> None:
    """The cache as the broker left it."""
    del folder


def block(folder: Path) -> None:
    """Where the folder should be is a file: nobody can write there, not even root."""
    if not folder.exists():
        folder.write_text("")


@pytest.mark.parametrize(
    ("harm", "rejected"), [(leave, False), (corrupt, False), (block, False), (leave, True)]
)
@pytest.mark.timeout(300)
async def test_iam_is_asked_within_the_budget(
    tmp_path: Path, figures: Figures, harm: Callable[[Path], None], rejected: bool
) -> None:
    async with FakeWorld.serving() as world:
        if rejected:
            world.iam.faults.add("401:on=issue")
        key = await world.add_key(await world.add_user())
        identities = {"default": {"keys": [keys.directory(tmp_path / "key", key)]}}
        cache = tmp_path / "cache"
        daemon = Daemon(
            tmp_path / "broker", iam={"url": world.url}, identities=identities, cache={"path": str(cache)}
        )
        always = harm is leave and not rejected
        began, served = time.monotonic(), 0
        for _ in range(KILLS):
            harm(cache)
            await daemon.start()
            served += (await daemon.client.token(wait=10 if always else 1)).status == 200
            daemon.send(signal.SIGKILL)
            assert await daemon.ended() == -signal.SIGKILL
            daemon.socket.unlink()
        took = time.monotonic() - began
        arrived = {operation.value: count for operation, count in world.iam.counters.arrived.items()}
    figures(seconds=took, served=served, kills=KILLS, **arrived)
    if harm is not block:
        assert arrived["issue"] <= 5 + took / 30 + 1
        assert arrived.get("validate", 0) + arrived.get("key", 0) <= 5 + took / 10 + 1
    else:
        assert arrived["issue"] <= KILLS + 5 + took / 30, "at most one a start"
    if always:
        assert served == KILLS
    assert len(daemon.events("serving")) == KILLS
