"""Short lives, asked for ten times a second: never an expired token, never an error, and Keystone asked sparingly.

- Keystone's own ledger counts the issues; the due point of a token lies in the second half of its life, so there may
  be one for each half life, and one for the start.
- Every tenth answer is taken to Keystone itself, which says whether the token lives.
- KAKAOCLOUD_BROKER_LONG=1 adds the same with lives of three minutes, which takes twelve.
"""

import asyncio
import os
import time
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pytest

from tests.contracts.world import Key
from tests.e2e import keys
from tests.e2e.client import Answer
from tests.e2e.command import broker
from tests.e2e.conftest import Figures
from tests.e2e.daemon import Daemon
from tests.keystone.asking import validate
from tests.keystone.fixtures import StartKeystone
from tests.keystone.world import KeystoneWorld
from tests.tls import ServerTls

pytestmark = [pytest.mark.e2e, pytest.mark.keystone]

LIVES = 4
PACE = 0.1  # seconds from one request to the next
SAMPLE = 10  # one of so many answers is taken to Keystone
LONG = os.environ.get("KAKAOCLOUD_BROKER_LONG") == "1"
only_long = (
    pytest.mark.skipif(not LONG, reason="twelve minutes; set KAKAOCLOUD_BROKER_LONG=1"),
    pytest.mark.timeout(900),
)


@dataclass(slots=True)
class Seen:
    """What one client was given."""

    answers: int = 0
    sampled: int = 0
    tokens: set[str] = field(default_factory=set)
    least_left: float = float("inf")  # seconds of life at receipt, by the wall clock
    slowest: float = 0.0


@pytest.mark.timeout(240)
@pytest.mark.parametrize("life", [12, pytest.param(180, marks=only_long)])
async def test_ten_requests_a_second_for_several_lives(
    life: int, start_keystone: StartKeystone, server_tls: ServerTls, tmp_path: Path, figures: Figures
) -> None:
    """Rule: method 1 over HTTP and method 2 over TLS both serve through every renewal; issues <= elapsed / (life/2) + 1."""
    plain, secured = await asyncio.gather(
        start_keystone(life=life), start_keystone(life=life, tls=server_tls)
    )
    keys_of = [await world.add_key(await world.add_user()) for world in (plain, secured)]
    first = keys.directory(tmp_path / "key", keys_of[0])
    second = keys.toml_by_name(tmp_path / "key.toml", keys_of[1])
    assert secured.ca_file is not None
    trusting = {"url": secured.url, "ca_file": secured.ca_file}
    brokers = (
        Daemon(tmp_path / "plain", iam={"url": plain.url}, identities={"default": {"keys": [first]}}),
        Daemon(tmp_path / "tls", iam=trusting, identities={"default": {"keys": [second]}}),
    )
    told = await asyncio.gather(
        _live(plain, brokers[0], life, "http_method_1"), _live(secured, brokers[1], life, "tls_method_2")
    )
    for figure in told:
        figures(**figure)


async def _live(world: KeystoneWorld, daemon: Daemon, life: int, name: str) -> dict[str, object]:
    began = time.monotonic()
    seen = Seen()
    async with daemon:
        assert (await daemon.client.token(wait=10)).status == 200
        end = time.monotonic() + LIVES * life
        while time.monotonic() < end:
            next_one = time.monotonic() + PACE
            await _ask(world, daemon, seen)
            await asyncio.sleep(max(0.0, next_one - time.monotonic()))
        requests = await world.issue_requests()  # first: one may land between the two questions
        issued, elapsed = await world.issued(), time.monotonic() - began
    most = elapsed / (life / 2) + 1
    assert requests <= issued, "a request in vain"
    assert len(seen.tokens) <= issued <= most, (issued, most)
    assert len(seen.tokens) >= LIVES, "it was never renewed"
    return {
        f"{name}_{figure}": value
        for figure, value in {
            "answers": seen.answers,
            "validated_at_keystone": seen.sampled,
            "tokens": len(seen.tokens),
            "issued_by_keystone": issued,
            "most_allowed": most,
            "least_life_left_seconds": seen.least_left,
            "slowest_answer_seconds": seen.slowest,
        }.items()
    }


async def _ask(world: KeystoneWorld, daemon: Daemon, seen: Seen) -> None:
    answer = await daemon.client.token()
    assert answer.status == 200, answer.body
    left = (answer.expires_at - answer.at).total_seconds()
    assert left > 0, "an expired token"
    assert not answer.body["stale"]
    seen.answers += 1
    seen.tokens.add(answer.body["token"])
    seen.least_left = min(seen.least_left, left)
    seen.slowest = max(seen.slowest, answer.seconds)
    if seen.answers % SAMPLE == 0:
        seen.sampled += 1
        assert await validate(world, answer.body["token"]) == 200


async def test_the_phases_of_a_life_of_three_minutes(
    start_keystone: StartKeystone, tmp_path: Path, figures: Figures
) -> None:
    """Rule: a new token is fresh, lives as long as Keystone says less its floor, and is due in 0.50-0.75 of its life."""
    world = await start_keystone(life=180)
    key: Key = await world.add_key(await world.add_user())
    identities = {"default": {"keys": [keys.directory(tmp_path / "key", key)]}}
    async with Daemon(tmp_path / "broker", iam={"url": world.url}, identities=identities) as daemon:
        answer: Answer = await daemon.client.token(wait=10)
        assert answer.status == 200
        assert 170 <= answer.body["expires_in"] <= 179
        state = (await daemon.client.get("/v1/identities/default")).body
        assert state["state"] == "fresh"
        assert state["degraded"] == []
        issued_at = datetime.fromisoformat(state["issued_at"])
        due = (datetime.fromisoformat(state["next_try"]) - issued_at).total_seconds() / 180
        assert 0.49 <= due <= 0.76  # both times are whole seconds
        table = await broker("status", socket=daemon.socket)
        assert table.code == 0
        assert "fresh" in table.out
        for _ in range(20):
            assert (await daemon.client.token()).body["token"] == answer.body["token"]
    assert await world.issue_requests() == 1
    figures(expires_in=answer.body["expires_in"], due_at_part_of_life=due)
