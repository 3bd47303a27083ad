"""The alert rules fire and resolve on series that a real broker made under the faults of the emulated IAM, and of its host.

One sample a minute unless a test says otherwise, on the time of the tests' clock, not of the machine: see `recording`. At
each moment that a test names, exactly the alerts that it names are firing.
"""

import re
from pathlib import Path

import pytest

from broker.core.degraded import Reason
from tests.app.whole import get, until
from tests.deploy.asking import refused
from tests.deploy.kit import alerts, needs_promtool
from tests.deploy.recording import World, recorded

pytestmark = needs_promtool

NO_TOKEN = "KakaoCloudBrokerNoToken"
KEY_REJECTED = "KakaoCloudBrokerKeyRejected"
UNREACHABLE = "KakaoCloudBrokerUnreachable"
DEGRADED = "KakaoCloudBrokerDegraded"
DENIED = "KakaoCloudBrokerAccessDenied"
FOREIGN = "KakaoCloudBrokerForeignRequest"
AUDIT_LOST = "KakaoCloudBrokerAuditLost"
LAG = "KakaoCloudBrokerLoopLag"
LONG = "KakaoCloudBrokerDegradedLong"
KEY_EXPIRES = "KakaoCloudBrokerKeyExpires"
SKEW = "KakaoCloudBrokerClockSkew"
DAY = 86400
FIRED = re.compile(r"series\.firing\(([A-Z_, ]+)\)")


def test_each_alert_fires_in_one_of_these_stories():
    named = ", ".join(FIRED.findall(Path(__file__).read_text())).split(", ")
    assert {globals()[name] for name in named} == {rule["alert"] for rule in alerts()}


@pytest.mark.parametrize("fault", ["503", "reset", "429:retry-after=5", "half"])
async def test_an_iam_that_is_down_for_longer_than_a_token_lives(world: World, fault: str):
    world.iam.tokens.life = 3600
    async with recorded(world) as story:
        await story.pass_minutes(10)
        story.series.firing()
        world.iam.faults.add(fault)
        await story.pass_minutes(20)
        story.series.firing()
        await story.pass_minutes(20)
        story.series.firing(DEGRADED)
        await story.pass_minutes(20)
        story.series.firing(DEGRADED, NO_TOKEN)
        world.iam.faults.clear()
        await story.pass_minutes(40)


async def test_a_key_that_is_deleted_and_a_new_one_in_its_file(world: World):
    place = world.key(world.iam.key)
    async with recorded(world, place) as story:
        await story.pass_minutes(5)
        story.series.firing()
        world.iam.realm.delete_key(world.iam.key.id)
        await story.pass_minutes(10)
        story.series.firing(KEY_REJECTED, NO_TOKEN)
        new = world.iam.realm.add_key(world.iam.user.id)
        (place / "id").write_text(new.id)
        (place / "secret").write_text(new.secret)
        await story.pass_minutes(3)


async def test_a_broker_that_ends_and_comes_back(world: World):
    async with recorded(world) as story:
        await story.pass_minutes(5)
        async with story.without_broker():
            await story.pass_minutes(4)
            story.series.firing()
            await story.pass_minutes(3)
            story.series.firing(UNREACHABLE)
        await story.pass_minutes(2)


async def test_a_new_key_that_does_not_work(world: World):
    place = world.key(world.iam.key)
    async with recorded(world, place) as story:
        (place / "secret").write_text("wrong")
        await story.pass_minutes(20)
        story.series.firing()
        await story.pass_minutes(20)
        story.series.firing(DEGRADED)
        (place / "secret").write_text(world.iam.key.secret)
        await story.pass_minutes(3)


async def test_a_key_of_another_project(world: World):
    place = world.key(world.iam.key)
    other = world.iam.realm.add_key(world.iam.realm.add_user("member").id)
    async with recorded(world, place) as story:
        (place / "id").write_text(other.id)
        (place / "secret").write_text(other.secret)
        await story.pass_minutes(40)
        story.series.firing(DEGRADED)
        (place / "id").write_text(world.iam.key.id)
        (place / "secret").write_text(world.iam.key.secret)
        await story.pass_minutes(3)


async def test_roles_that_are_taken_away_and_given_back(world: World):
    world.iam.realm.add_role(world.iam.user.id, "reader")
    key = world.iam.realm.add_key(world.iam.user.id)
    world.iam.tokens.life = 3600
    async with recorded(world, world.key(key)) as story:
        await story.pass_minutes(5)
        world.iam.realm.remove_role(world.iam.user.id, "reader")
        await story.pass_minutes(45)
        story.series.firing(DEGRADED)
        world.iam.realm.add_role(world.iam.user.id, "reader")
        await story.pass_minutes(60)


async def test_a_program_without_a_grant(world: World):
    async with recorded(world) as story:
        await story.pass_minutes(5)
        assert (await get(world.folder / "s", "/v1/identities/other/token"))[1]["code"] == "access_denied"
        await story.pass_minutes(1)
        story.series.firing(DENIED)
        await story.pass_minutes(16)


@pytest.mark.parametrize(
    ("code", "header"),
    [
        ("browser_request", "Origin: https://evil.example"),
        ("forwarded_request", "X-Forwarded-For: 192.0.2.1"),
        ("host_not_allowed", "Host: evil.example"),
    ],
)
async def test_a_browser_or_a_proxy_at_the_port(world: World, code: str, header: str):
    listen = [{"unix": str(world.folder / "s")}, {"tcp": "127.0.0.1:0"}]
    async with recorded(world, beside={"listen": listen}) as story:
        await story.pass_minutes(5)
        assert await refused(story.address, header) == code
        await story.pass_minutes(1)
        story.series.firing(FOREIGN)
        await story.pass_minutes(16)


async def test_an_audit_trail_whose_folder_goes_away(world: World):
    for pause in ("FIRST_PAUSE", "LONGEST_PAUSE"):
        world.monkeypatch.setattr(f"broker.observability.outlet.{pause}", 0.01)
    folder, away = world.folder / "logs", world.folder / "away"
    folder.mkdir()
    async with recorded(world, beside={"log": {"audit": str(folder / "audit.log")}}) as story:
        await story.pass_minutes(5)
        folder.rename(away)
        assert (await get(world.folder / "s", "/v1/token"))[0] == 200
        await until(lambda: Reason.AUDIT_FAILED in story.ailments())
        await story.pass_minutes(1)
        story.series.firing(AUDIT_LOST)
        away.rename(folder)
        await until(lambda: Reason.AUDIT_FAILED not in story.ailments())
        await story.pass_minutes(16)


async def test_a_host_that_is_short_of_cpu(world: World):
    async with recorded(world) as story:
        await story.pass_minutes(5)
        await story.pass_minutes(9, late=0.5)
        story.series.firing()
        await story.pass_minutes(3, late=0.5)
        story.series.firing(LAG)
        # The gauge is the longest of 60 ticks, and here a tick is a minute.
        await story.pass_minutes(60)


async def test_a_standby_key_that_serves_for_half_a_day(world: World):
    """A sample every four minutes: Prometheus looks back five."""
    standby = world.iam.realm.add_key(world.iam.user.id)
    places = world.key(world.iam.key, "primary"), world.key(standby, "standby")
    async with recorded(world, *places, step=240) as story:
        await story.pass_minutes(20)
        world.iam.realm.delete_key(world.iam.key.id)
        await story.pass_minutes(11 * 60)
        story.series.firing()
        await story.pass_minutes(80)
        story.series.firing(LONG)
        new = world.iam.realm.add_key(world.iam.user.id)
        (places[0] / "id").write_text(new.id)
        (places[0] / "secret").write_text(new.secret)
        await story.pass_minutes(8)


async def test_a_key_that_ends_soon_and_is_replaced(world: World):
    key = world.iam.realm.add_key(world.iam.user.id, lifetime=14 * DAY + 1800)
    place = world.key(key)
    async with recorded(world, place) as story:
        await story.pass_minutes(80)
        story.series.firing()
        await story.pass_minutes(20)
        story.series.firing(KEY_EXPIRES)
        new = world.iam.realm.add_key(world.iam.user.id, lifetime=365 * DAY)
        (place / "id").write_text(new.id)
        (place / "secret").write_text(new.secret)
        await story.pass_minutes(5)


@pytest.mark.parametrize("seconds", [-90, 90])
async def test_a_clock_that_is_off(world: World, seconds: int):
    """The emulated IAM is right or wrong by so much; the broker sees that the two differ."""
    async with recorded(world) as story:
        await story.pass_minutes(10)
        world.iam.faults.add(f"skew={seconds}")
        await story.pass_minutes(30)
        story.series.firing(SKEW)
        world.iam.faults.clear()
        await story.pass_minutes(15)
