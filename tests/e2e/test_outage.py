"""Keystone goes away while a token is held, and comes back: what workloads see of it (L1 and L2 for real)."""

import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.e2e import keys
from tests.e2e.client import Answer
from tests.e2e.command import broker
from tests.e2e.conftest import Figures
from tests.e2e.daemon import Daemon
from tests.e2e.waiting import until
from tests.keystone.asking import validate
from tests.keystone.fixtures import StartKeystone

pytestmark = [pytest.mark.e2e, pytest.mark.keystone]

LIFE = 24  # due after 12 to 18 s, which leaves a busy machine 5 s to run a command
RECOVERED = 45.0


async def test_a_good_token_is_served_to_its_end_and_not_beyond(
    start_keystone: StartKeystone, tmp_path: Path, figures: Figures
) -> None:
    """Rule: 200, then 200 and stale, until the deadline; then 503 with reason and Retry-After; then 200 anew."""
    world = await start_keystone(life=LIFE)
    key = await world.add_key(await world.add_user())
    identities = {"default": {"keys": [keys.directory(tmp_path / "key", key)]}}
    async with Daemon(tmp_path / "broker", iam={"url": world.url}, identities=identities) as daemon:
        held = await daemon.client.token(wait=10)
        assert held.status == 200
        await world.process.stop()

        async def stale() -> Answer | None:
            answer = await daemon.client.token(wait=0)
            assert answer.status == 200, answer.body
            assert answer.body["token"] == held.body["token"]
            return answer if answer.body["stale"] else None

        became_stale = await until(stale, LIFE, "the failed refresh shows")
        ready = await daemon.client.get("/readyz")
        assert ready.status == 200
        assert ready.body["identities"]["default"]["degraded"] == ["iam_unavailable"]
        assert (await broker("token", socket=daemon.socket)).out.strip() == held.body["token"]
        last = became_stale.at

        async def ended() -> Answer | None:
            nonlocal last
            answer = await daemon.client.token(wait=0)
            if answer.status != 200:
                return answer
            assert answer.at < answer.expires_at, "an expired token"
            assert answer.body["stale"]
            last = answer.at
            return None

        refused = await until(ended, LIFE, "the token ends")
        left = (held.expires_at - last).total_seconds()
        assert left > 0
        # A second for Keystone's floor, and what its answer took to come.
        assert (held.expires_at - refused.at).total_seconds() < 2.5, "it was not served to its end"
        assert refused.status == 503
        assert refused.body["code"] == "iam_unavailable"
        assert int(refused.headers["Retry-After"]) >= 1
        assert (await daemon.client.get("/readyz")).status == 503

        await world.process.start()
        came_back = time.monotonic()

        async def recovered() -> Answer | None:
            answer = await daemon.client.token(wait=1)
            return answer if answer.status == 200 else None

        anew = await until(recovered, RECOVERED, "a token after the outage")
        took = time.monotonic() - came_back
        assert anew.body["token"] != held.body["token"]
        assert not anew.body["stale"]
        assert await validate(world, anew.body["token"]) == 200
    figures(
        stale_after_seconds=(became_stale.at - _issued(held)).total_seconds(),
        last_served_before_end_seconds=left,
        retry_after=refused.headers["Retry-After"],
        recovered_after_seconds=took,
    )


def _issued(answer: Answer) -> datetime:
    return datetime.fromisoformat(answer.body["issued_at"]).astimezone(UTC)
