"""What happens to keys, roles and users at a real Keystone, under workloads that ask twenty times a second.

Rule: every GET brings a token that Keystone accepts, except while none can exist, or within one validation interval.
"""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.contracts.world import Key
from tests.e2e import keys
from tests.e2e.command import broker
from tests.e2e.conftest import Figures
from tests.e2e.daemon import Daemon
from tests.e2e.relay import Relay
from tests.e2e.waiting import until
from tests.e2e.watcher import Watcher, watching
from tests.keystone.fixtures import StartKeystone
from tests.keystone.world import KeystoneWorld

pytestmark = [pytest.mark.e2e, pytest.mark.keystone]

# Seconds between validations: four identities of one broker stay below the one request a second that all may ask.
EVERY = 5.0
GAP = EVERY + 2.5  # with what the re-check after a death and a busy machine take


async def degraded(daemon: Daemon, name: str) -> list[str]:
    """The reasons, on which the ways of asking must agree; when they change between the questions, it asks again."""
    for _ in range(10):
        state, ready, again = [
            (await daemon.client.get(path)).body["degraded"]
            for path in (f"/v1/identities/{name}", f"/readyz/{name}", f"/v1/identities/{name}")
        ]
        if state == again:
            assert set(ready) == set(state)
            return list(state)
    raise AssertionError(f"the reasons of {name} change with each question")


async def shows(daemon: Daemon, name: str, reason: str) -> None:
    """The reason is told everywhere."""

    async def there() -> bool:
        return reason in await degraded(daemon, name)

    await until(there, 15, f"{name} says {reason}")
    table = await broker("status", socket=daemon.socket)
    assert reason in next(line for line in table.out.splitlines() if line.startswith(name)), table.out


async def clean(daemon: Daemon, name: str) -> None:
    """Nothing is amiss (any more)."""

    async def there() -> bool:
        return await degraded(daemon, name) == []

    await until(there, 15, f"{name} is in order")


@pytest.mark.timeout(240)
async def test_what_an_administrator_does_costs_at_most_one_interval(
    keystone_world: KeystoneWorld, tmp_path: Path, figures: Figures
) -> None:
    world = keystone_world
    names = ["standby", "roles", "only-role", "rules", "revoked", "password", "disabled", "untouched"]
    users = {name: await world.add_user(*(["member", "reader"] if name == "roles" else [])) for name in names}
    held = {name: await world.add_key(users[name], access_rules=name == "rules") for name in names}
    second = await world.add_key(users["standby"])
    tables: dict[str, dict[str, Any]] = {
        name: {"keys": [keys.directory(tmp_path / name, key)]} for name, key in held.items()
    }
    tables["standby"]["keys"].append(keys.directory(tmp_path / "second", second))
    gaps: dict[str, float] = {}

    async def act(name: str, seen: Watcher, deed: Callable[[], Awaitable[object]]) -> None:
        began = time.monotonic()
        await deed()
        await asyncio.sleep(GAP + 1)
        gaps[name] = seen.bad_since(began)

    def settings(*names: str) -> dict[str, Any]:
        own = {name: tables[name] for name in names}
        return {"iam": {"url": world.url}, "identities": own, "validation": {"every": EVERY}}

    of_keys, of_users = (
        ("standby", "roles", "rules", "untouched"),
        ("only-role", "revoked", "password", "disabled"),
    )
    async with (
        Daemon(tmp_path / "keys", **settings(*of_keys)) as daemon,
        Daemon(tmp_path / "users", **settings(*of_users)) as other,
    ):
        for name in names:
            assert (await (daemon if name in of_keys else other).client.token(name, wait=10)).status == 200
        await asyncio.sleep(EVERY + 2)  # until there is evidence for each key
        async with (
            watching(daemon, world, [name for name in of_keys if name != "rules"]) as seen_keys,
            watching(other, world, [*of_users]) as seen_users,
        ):
            seen = {**seen_keys, **seen_users}
            token = (await other.client.token("revoked")).body["token"]
            await asyncio.gather(
                act("standby", seen["standby"], lambda: world.delete_key(held["standby"])),
                act("roles", seen["roles"], lambda: world.remove_role(users["roles"], "reader")),
                act("only-role", seen["only-role"], lambda: world.remove_role(users["only-role"], "member")),
                act("revoked", seen["revoked"], lambda: world.revoke(token)),
                act(
                    "password",
                    seen["password"],
                    lambda: world.change_password(users["password"], settle=False),
                ),
                act(
                    "disabled",
                    seen["disabled"],
                    lambda: world.set_user_enabled(users["disabled"], enabled=False),
                ),
            )
            await shows(daemon, "standby", "standby_key_in_use")
            await shows(daemon, "roles", "roles_reduced")
            await shows(other, "only-role", "key_rejected")
            await shows(other, "disabled", "key_rejected")
            assert await degraded(other, "revoked") == await degraded(other, "password") == []
            await world.add_role(users["only-role"], "member")
            await world.set_user_enabled(users["disabled"], enabled=True)
            await clean(other, "only-role")
            await clean(other, "disabled")
        await shows(daemon, "rules", "validation_off")
        assert (await daemon.client.token("rules")).status == 200
        for name in ("standby", "roles", "revoked", "password", "untouched"):
            assert gaps.get(name, 0.0) <= GAP, (name, gaps)
            assert [code for _, code in seen[name].refused] == [], name
        assert seen["untouched"].dead == []
        assert {code for name in ("only-role", "disabled") for _, code in seen[name].refused} <= {
            "key_rejected"
        }
        lost = (await daemon.client.get("/v1/identities/roles")).body
        assert lost["roles"] == ["member"]
        metrics = await daemon.client.text("/metrics")
        for name, reason in (
            ("standby", "standby_key_in_use"),
            ("roles", "roles_reduced"),
            ("rules", "validation_off"),
        ):
            assert f'broker_degraded{{identity="{name}",reason="{reason}"}} 1.0' in metrics
    figures(
        **{f"gap_seconds_{name}": gap for name, gap in gaps.items()},
        gets=sum(each.gets for each in seen.values()),
    )


LIFE = 30


@pytest.mark.timeout(240)
async def test_an_outage_a_rotation_a_kill_and_a_stop_are_not_noticed(
    start_keystone: StartKeystone, tmp_path: Path, figures: Figures
) -> None:
    """Tokens of 30 s: due after 15 to 22.5 s, which leaves a busy machine 6 s for what comes after."""
    world = await start_keystone(life=LIFE)
    user = await world.add_user()
    first, second = await world.add_key(user), await world.add_key(user)
    folder = tmp_path / "key"
    async with Relay.before(world.url) as iam:
        settings: dict[str, Any] = {
            "iam": {"url": iam.url},
            "identities": {"default": {"keys": [keys.projected(folder, first)]}},
            "validation": {"every": EVERY},
        }
        async with Daemon(tmp_path / "broker", **settings) as daemon:
            assert (await daemon.client.token(wait=10)).status == 200
            async with watching(daemon, world, ["default"]) as watchers:
                seen = watchers["default"]
                await asyncio.sleep(EVERY + 1)
                await _rotated(daemon, world, folder, first, second)
                await _killed_while_iam_is_down(daemon, iam)
                await _stopped_across_the_refresh(daemon)
    assert seen.refused == []
    assert seen.dead == []
    figures(gets=seen.gets, judged=seen.judged, slowest_seconds=seen.slowest)


async def _rotated(daemon: Daemon, world: KeystoneWorld, folder: Path, first: Key, second: Key) -> None:
    """A swap of the link, and the old key deleted once the new one is in use."""
    keys.projected(folder, second)

    async def taken() -> bool:
        state = (await daemon.client.get("/v1/identities/default")).body
        return bool(state["key"] == second.id)

    await until(taken, 15, "the new key is in use")
    await world.delete_key(first)
    await asyncio.sleep(EVERY + 1)


async def _killed_while_iam_is_down(daemon: Daemon, iam: Relay) -> None:
    """The outage begins with a fresh token and outlives its due point."""
    before = (await daemon.client.token()).body["issued_at"]

    async def renewed() -> bool:
        return bool((await daemon.client.token()).body["issued_at"] != before)

    await until(renewed, LIFE, "a fresh token")
    await iam.shut()
    await asyncio.sleep(3)
    kept = (await daemon.client.token()).body["token"]
    daemon.send(signal.SIGKILL)
    assert await daemon.ended() == -signal.SIGKILL
    daemon.socket.unlink()
    await daemon.start()
    answer = await daemon.client.token(wait=0)
    assert (answer.status, answer.body.get("token")) == (200, kept), "served at once"

    async def stale() -> bool:
        return bool((await daemon.client.token()).body["stale"])

    await until(stale, LIFE, "a due refresh has failed")
    await shows(daemon, "default", "iam_unavailable")
    await iam.open()
    await clean(daemon, "default")


async def _stopped_across_the_refresh(daemon: Daemon) -> None:
    """It sleeps while its token becomes due, and wakes before the end of it."""
    due = datetime.fromisoformat((await daemon.client.get("/v1/identities/default")).body["next_try"])
    daemon.send(signal.SIGSTOP)
    await asyncio.sleep((due - datetime.now(UTC)).total_seconds() + 1)
    daemon.send(signal.SIGCONT)

    async def woke() -> bool:
        return bool(daemon.events("woke"))

    await until(woke, 5, "it says that it woke")
    await asyncio.sleep(3)
