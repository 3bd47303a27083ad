"""Every fault that the emulator has, each on its own identity of one broker, side by side with one in order."""

import asyncio
import time
from pathlib import Path

import pytest

from tests.contracts.fake_world import FakeWorld
from tests.e2e import keys
from tests.e2e.conftest import Figures
from tests.e2e.daemon import Daemon
from tests.e2e.trouble import WELL, recovery, shown, well_served
from tests.keystone.asking import validate

pytestmark = pytest.mark.e2e

TIMEOUT = 2.0  # seconds after which a hanging IAM is given up
UNAVAILABLE = "iam_unavailable"
FAULTS = {
    "hanging": ("hang", UNAVAILABLE),
    "reset": ("reset", UNAVAILABLE),
    "half": ("half", UNAVAILABLE),
    "wrong-json": ("wrong-json", UNAVAILABLE),
    "not-object": ("not-object", UNAVAILABLE),
    "oversized": ("oversized", UNAVAILABLE),
    "no-token": ("no-token", UNAVAILABLE),
    "no-expiry": ("no-expiry", UNAVAILABLE),
    "bad-expiry": ("bad-expiry", UNAVAILABLE),
    "expiry-before-issue": ("expiry-before-issue", UNAVAILABLE),
    "redirect": ("redirect", UNAVAILABLE),
    "status-200": ("200", UNAVAILABLE),
    "status-403": ("403", UNAVAILABLE),
    "html-404": ("404", UNAVAILABLE),
    "html-503": ("503", UNAVAILABLE),
    "throttled": ("429", "iam_throttled"),
}
OPTIONS = {"html-404": ",body=html", "html-503": ",body=html", "throttled": ",retry-after=3"}


async def test_rubbish_at_start_is_told_and_passes_by_itself(tmp_path: Path, figures: Figures) -> None:
    """Rule: whatever IAM answers, the broker stays up, says so, serves the other, and recovers when IAM does."""
    async with FakeWorld.serving() as world:
        keys_of = {name: await world.add_key(await world.add_user()) for name in (WELL, *FAULTS)}
        for name, (fault, _) in FAULTS.items():
            world.iam.faults.add(f"{fault}:on=issue,key={keys_of[name].id}{OPTIONS.get(name, '')}")
        identities = {name: {"keys": [keys.directory(tmp_path / name, key)]} for name, key in keys_of.items()}
        iam = {"url": world.url, "timeout": TIMEOUT}
        async with (
            Daemon(tmp_path / "broker", iam=iam, identities=identities) as daemon,
            well_served(daemon) as took,
        ):
            await shown(daemon, {name: reason for name, (_, reason) in FAULTS.items()})
            world.iam.faults.clear()

            async def good(token: str) -> bool:
                return await validate(world, token) == 200

            mended = time.monotonic()
            seconds = await asyncio.gather(*(recovery(daemon, name, good, mended) for name in FAULTS))
            assert (await daemon.client.get("/readyz")).status == 200
    by_name = dict(zip(FAULTS, seconds, strict=True))
    figures(
        **{f"recovered_seconds_{name}": value for name, value in by_name.items()},
        other_identity_answers=len(took),
        other_identity_slowest_seconds=max(took),
    )
