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


BROKERS = 3  # side by side, or the common allowance of one broker would be what is measured


async def test_rubbish_at_start_is_told_and_passes_by_itself(tmp_path: Path, figures: Figures) -> None:
    """Rule: whatever IAM answers, the broker stays up, says so, serves the other, and recovers when IAM does."""
    names = list(FAULTS)
    shares = [names[number::BROKERS] for number in range(BROKERS)]
    told = await asyncio.gather(*(_share(share, tmp_path / share[0]) for share in shares))
    for share in told:
        figures(**share)


async def _share(names: list[str], folder: Path) -> dict[str, object]:
    """One broker and one emulator with some of the faults."""
    async with FakeWorld.serving() as world:
        keys_of = {name: await world.add_key(await world.add_user()) for name in (WELL, *names)}
        for name in names:
            world.iam.faults.add(f"{FAULTS[name][0]}:on=issue,key={keys_of[name].id}{OPTIONS.get(name, '')}")
        identities = {name: {"keys": [keys.directory(folder / name, key)]} for name, key in keys_of.items()}
        iam = {"url": world.url, "timeout": TIMEOUT}
        async with (
            Daemon(folder / "broker", iam=iam, identities=identities) as daemon,
            well_served(daemon) as took,
        ):
            await shown(daemon, {name: FAULTS[name][1] for name in names})
            world.iam.faults.clear()

            async def good(token: str) -> bool:
                return await validate(world, token) == 200

            mended = time.monotonic()
            seconds = await asyncio.gather(*(recovery(daemon, name, good, mended) for name in names))
            assert (await daemon.client.get("/readyz")).status == 200
    figures = {f"recovered_seconds_{name}": value for name, value in zip(names, seconds, strict=True)}
    return {
        **figures,
        f"beside_{names[0]}_answers": len(took),
        f"beside_{names[0]}_slowest_seconds": max(took),
    }
