"""OpenStack's own clients, unmodified, with the variables of `broker exec` alone: they log in, and outlive a revocation.

Whatever a service answers comes from the real Keystone: the facade gives tokens, the catalog leads to Keystone itself.
"""

import json
from pathlib import Path

import pytest

from tests.keystone.world import KeystoneWorld
from tests.tools.standing import needs_tools, standing
from tests.venvs import TOOLS

pytestmark = [pytest.mark.tools, pytest.mark.keystone, needs_tools]

PROGRAM = Path(__file__).with_name("long_lived.py")
WITH_TOKEN = ("--with-token",)
JSON = ("-f", "json")


async def test_the_command_line_goes_on_after_its_token_was_revoked(
    keystone_world: KeystoneWorld, tmp_path: Path
) -> None:
    """Rule: each run logs in anew, so the run after a revocation gets a living token, by `POST` alone."""
    async with standing(tmp_path, keystone_world) as stands:
        first = json.loads((await stands.exec("openstack", "token", "issue", *JSON)).out)
        assert first["project_id"] == stands.owner.project_id
        assert first["id"] == await stands.revoke()
        projects = await stands.exec("openstack", "project", "list", *JSON)
        assert [row["ID"] for row in json.loads(projects.out)] == [stands.owner.project_id]
        second = json.loads((await stands.exec("openstack", "token", "issue", *JSON)).out)
        assert second["id"] != first["id"]
        assert await stands.lives(second["id"])
        catalog = await stands.exec("openstack", "catalog", "list", *JSON)
        assert [row["Type"] for row in json.loads(catalog.out)] == ["identity"]


async def test_the_command_line_takes_a_token_too(keystone_world: KeystoneWorld, tmp_path: Path) -> None:
    """Rule: by `--with-token`, as `v3token`, and as `token`, which asks for the versions first."""
    async with standing(tmp_path, keystone_world) as stands:
        for options in ((), ("--os-auth-type", "token")):
            words = ("openstack", *options, "token", "issue", "-f", "value", "-c", "id")
            ended = await stands.exec(*words, options=WITH_TOKEN)
            assert (ended.code, ended.out.strip()) == (0, await stands.token())
            assert ended.sentences[0].startswith("broker: OS_TOKEN cannot be refreshed")


@pytest.mark.parametrize(
    ("way", "options"),
    [
        ("keystoneauth1 v3applicationcredential", ()),
        ("keystoneauth1 v3token", WITH_TOKEN),
        ("keystoneauth1 v3token with its project as scope", WITH_TOKEN),
        ("keystoneauth1 token", WITH_TOKEN),
        ("openstacksdk", ()),
        ("openstacksdk", WITH_TOKEN),
    ],
    ids=lambda value: value if isinstance(value, str) else "".join(value),
)
async def test_a_session_that_lives_on_gets_another_token_and_retries(
    keystone_world: KeystoneWorld, tmp_path: Path, way: str, options: tuple[str, ...]
) -> None:
    """Rule: on the service's 401 it asks the facade once more and gets a living one; what it asked for succeeds."""
    async with (
        standing(tmp_path, keystone_world) as stands,
        stands.outliving(TOOLS.python, PROGRAM, way, stands.owner.project_id, options=options),
    ):
        pass


async def test_a_crowd_of_sessions_gets_one_other_token_together(
    keystone_world: KeystoneWorld, tmp_path: Path
) -> None:
    """Rule: forty that are refused at once have one question and one new token made of it, whatever their logins have cost."""
    async with standing(tmp_path, keystone_world) as stands:
        issued = await stands.world.issued()
        async with stands.outliving(TOOLS.python, PROGRAM.with_name("crowd.py")) as talk:
            await talk.go_on()
            assert (await talk.heard())["tokens"] == 1
        assert await stands.world.issued() == issued + 1
