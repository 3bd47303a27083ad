"""Identities that begin in trouble with a real Keystone, side by side with one in order, and recover by themselves."""

import asyncio
import time
from pathlib import Path

import pytest

from tests.contracts.world import Key
from tests.e2e import keys
from tests.e2e.conftest import Figures
from tests.e2e.daemon import Daemon
from tests.e2e.trouble import WELL, recovery, shown, well_served
from tests.keystone.asking import validate
from tests.keystone.fixtures import StartKeystone
from tests.keystone.world import KeystoneWorld

pytestmark = [pytest.mark.e2e, pytest.mark.keystone]

SOON = 15.0  # seconds for a changed key: it is looked for at each tick, and needs no pause to run out
REASONS = {
    "secret-in-place": "key_rejected",
    "secret-swapped": "key_rejected",
    "key-deleted": "key_rejected",
    "user-disabled": "key_rejected",
    "refused": "iam_unavailable",
}


@pytest.mark.timeout(240)
async def test_trouble_at_start_is_told_and_passes_by_itself(
    keystone_world: KeystoneWorld, start_keystone: StartKeystone, tmp_path: Path, figures: Figures
) -> None:
    """Rule: a wrong secret, a deleted key, a disabled user and a stopped Keystone each end when their cause does."""
    stopped = await start_keystone()
    users = {name: await keystone_world.add_user() for name in (WELL, *REASONS)}
    keys_of = {name: await keystone_world.add_key(user) for name, user in users.items()}
    keys_of["refused"] = await stopped.add_key(await stopped.add_user())
    spare = await keystone_world.add_key(users["key-deleted"])
    await keystone_world.delete_key(keys_of["key-deleted"])
    await keystone_world.set_user_enabled(users["user-disabled"], enabled=False)
    await stopped.process.stop()

    identities = {name: {"keys": [keys.directory(tmp_path / name, key)]} for name, key in keys_of.items()}
    keys.directory(tmp_path / "secret-in-place", keys.wrong(keys_of["secret-in-place"]))
    projected = tmp_path / "projected"
    identities["secret-swapped"] = {
        "keys": [keys.projected(projected, keys.wrong(keys_of["secret-swapped"]))]
    }
    refused = identities["refused"] | {"iam_url": stopped.url}

    iam = {"url": keystone_world.url}
    tables = identities | {"refused": refused}
    async with Daemon(tmp_path / "broker", iam=iam, identities=tables) as daemon, well_served(daemon) as took:
        await shown(daemon, REASONS)

        async def recovered(name: str, world: KeystoneWorld = keystone_world) -> float:
            async def good(token: str) -> bool:
                return await validate(world, token) == 200

            return await recovery(daemon, name, good, time.monotonic())

        async def enabled() -> float:
            await keystone_world.set_user_enabled(users["user-disabled"], enabled=True)
            return await recovered("user-disabled")

        async def started() -> float:
            await stopped.process.start()
            return await recovered("refused", stopped)

        async def replaced(name: str, key: Key) -> float:
            (keys.projected if name == "secret-swapped" else keys.directory)(_place(tmp_path, name), key)
            return await recovered(name)

        seconds = await asyncio.gather(
            replaced("secret-in-place", keys_of["secret-in-place"]),
            replaced("secret-swapped", keys_of["secret-swapped"]),
            replaced("key-deleted", spare),
            enabled(),
            started(),
        )
        assert (await daemon.client.get("/readyz")).status == 200
    by_name = dict(zip(REASONS, seconds, strict=True))
    assert max(by_name[name] for name in ("secret-in-place", "secret-swapped", "key-deleted")) < SOON
    figures(
        **{f"recovered_seconds_{name}": value for name, value in by_name.items()},
        other_identity_answers=len(took),
        other_identity_slowest_seconds=max(took),
    )


def _place(folder: Path, name: str) -> Path:
    return folder / ("projected" if name == "secret-swapped" else name)
