"""OpenStack's own clients with the broker's plugin and the clouds.yaml of docs/python.md: no secret, and no refusal to be seen.

A token is revoked at Keystone behind the broker's back. The tool gets it, is refused by the service, reports it by the plugin,
and its own second try succeeds.
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.e2e.waiting import until
from tests.keystone.world import KeystoneWorld
from tests.tools.installed import installed, page
from tests.tools.standing import Standing, Talk, needs_tools, standing
from tests.venvs import TOOLS

__all__ = ["installed"]

pytestmark = [pytest.mark.tools, pytest.mark.keystone, needs_tools]

PROGRAM = Path(__file__).with_name("plugged.py")
JSON = ("-f", "json")
CLOUD = ("openstack", "--os-cloud", "kakaocloud")


@asynccontextmanager
async def plugged(
    folder: Path, world: KeystoneWorld, packages: dict[str, str]
) -> AsyncIterator[tuple[Standing, dict[str, str]]]:
    """A broker, and the environment of a user who has written the page's clouds.yaml."""
    clouds = folder / "clouds.yaml"
    clouds.write_text(page("yaml", "v3kakaocloudbroker"))
    async with standing(folder, world) as stands:
        yield stands, {**packages, "OS_CLIENT_CONFIG_FILE": str(clouds)}


async def reported_once(stands: Standing) -> bool:
    """Whether the broker has had one report; its log is written a moment later."""

    async def told() -> bool:
        return bool(stands.daemon.events("token_reported"))

    await until(told, 5.0, "it tells of a report")
    return len(stands.daemon.events("token_reported")) == 1


async def test_the_command_line_needs_no_secret_and_outlives_a_revocation(
    keystone_world: KeystoneWorld, tmp_path: Path, installed: dict[str, str]
) -> None:
    async with plugged(tmp_path, keystone_world, installed) as (stands, own):
        issued = await stands.run(*CLOUD, "token", "issue", *JSON, **own)
        assert issued.code == 0, issued.err
        first = json.loads(issued.out)
        assert first["project_id"] == stands.owner.project_id
        assert first["id"] == await stands.revoke()
        projects = await stands.run(*CLOUD, "project", "list", *JSON, **own)
        assert projects.code == 0, projects.err
        assert [row["ID"] for row in json.loads(projects.out)] == [stands.owner.project_id]
        second = json.loads((await stands.run(*CLOUD, "token", "issue", *JSON, **own)).out)
        assert second["id"] == await stands.token() != first["id"]
        assert await stands.lives(second["id"])
        assert await reported_once(stands)


@pytest.mark.parametrize("way", ["plugin", "sdk"])
async def test_a_session_that_lives_on_gets_another_token_and_retries(
    keystone_world: KeystoneWorld, tmp_path: Path, installed: dict[str, str], way: str
) -> None:
    """Rule: it is the session's own second try that succeeds, and nothing of the daemon is loaded for it."""
    async with (
        plugged(tmp_path, keystone_world, installed) as (stands, own),
        Talk.with_((TOOLS.python, PROGRAM, way), {**stands.variables, **own}) as talk,
    ):
        before = await talk.heard()
        assert (before["status"], before["projects"]) == (200, [stands.owner.project_id])
        assert before["token"] == await stands.revoke()
        await talk.go_on()
        after = await talk.heard()
        assert (after["status"], after["projects"]) == (200, [stands.owner.project_id])
        assert after["token"] == await stands.token() != before["token"]
        assert after["daemon"] == []
        assert await reported_once(stands)


async def test_the_pages_program_for_the_sdk_runs_as_it_is_written(
    keystone_world: KeystoneWorld, tmp_path: Path, installed: dict[str, str]
) -> None:
    async with plugged(tmp_path, keystone_world, installed) as (stands, own):
        ended = await stands.run(TOOLS.python, "-c", page("python", "import openstack"), **own)
        assert (ended.code, ended.out.strip()) == (0, stands.owner.project_id), ended.err


async def test_without_a_broker_it_is_one_plain_sentence(tmp_path: Path, installed: dict[str, str]) -> None:
    """Rule: the place may be named in clouds.yaml, and that alone is enough for the command."""
    clouds, place = tmp_path / "clouds.yaml", "url: unix:///run/kakaocloud-broker/broker.sock"
    written = page("yaml", "v3kakaocloudbroker")
    assert f"identity: default\n      # {place}" in written
    there = f"url: unix://{tmp_path}/none"
    clouds.write_text(written.replace(f"identity: default\n      # {place}", there))
    words = (TOOLS.python.with_name("openstack"), *CLOUD[1:], "token", "issue")
    async with Talk.with_(words, {**installed, "OS_CLIENT_CONFIG_FILE": str(clouds)}) as talk:
        ended = await talk.end()
    assert ended.code == 1
    assert ended.err.strip() == f"no broker is running at {tmp_path}/none; start it with `broker run`"
