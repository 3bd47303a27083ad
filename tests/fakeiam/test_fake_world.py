"""The emulator as the `World` of the contract tests."""

import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tests.contracts.fake_world import FakeWorld, private_tls
from tests.contracts.world import Principal, World
from tests.fakeiam.client import Client


@pytest.fixture
async def world() -> AsyncIterator[FakeWorld]:
    async with FakeWorld.serving() as fake:
        yield fake


@pytest.fixture
async def asking(world: FakeWorld) -> AsyncIterator[Client]:
    async with aiohttp.ClientSession() as session:
        yield Client(world.iam, world.url, session)


async def new_token(world: FakeWorld, asking: Client, who: Principal) -> str:
    key = await world.add_key(who)
    return await asking.token(world.iam.realm.keys[key.id])


async def status(asking: Client, token: str) -> int:
    return (await asking.validate(token)).status


async def test_it_serves_tls_and_breaks_it(tmp_path: Path):
    """With a private CA; reset and half answers work there too."""
    context, ca_file = private_tls(tmp_path)
    async with FakeWorld.serving(life=4, ssl_context=context, ca_file=ca_file) as fake:
        world: World = fake
        key = await world.add_key(await world.add_user("member", "reader"))
        trust = ssl.create_default_context(cafile=world.ca_file)
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trust)) as session:
            client = Client(fake.iam, world.url, session)
            assert (await client.issue(fake.iam.realm.keys[key.id])).status == 201
            assert (await world.issue_requests(), await world.issued()) == (1, 1)
            for fault in ("reset:times=1", "half:times=1"):
                fake.iam.faults.add(fault)
                with pytest.raises(aiohttp.ClientError):
                    await client.issue()
        assert await world.issue_requests() == 3


async def test_a_settled_revocation_spares_the_next_token(world: FakeWorld, asking: Client):
    """The old token is dead, one issued at once is good, and nobody waited."""
    who = await world.add_user()
    for act in ("password", "user"):
        old = await new_token(world, asking, who)
        if act == "password":
            await world.change_password(who)
        else:
            await world.set_user_enabled(who, enabled=False)
            await world.set_user_enabled(who, enabled=True)
        assert (await status(asking, old), await status(asking, await new_token(world, asking, who))) == (
            401,
            200,
        )


async def test_each_act_takes_effect_at_once(world: FakeWorld, asking: Client):
    """Roles, projects, revocation, deletion."""
    who = await world.add_user("member", "reader")
    token = await new_token(world, asking, who)
    await world.remove_role(who, "reader")
    await world.remove_role(who, "member")
    assert await status(asking, token) == 401
    await world.add_role(who, "member")
    assert await status(asking, token) == 200
    joined = await world.join_project(who)
    projects = await asking.send("GET", f"/users/{who.user_id}/projects", headers={"X-Auth-Token": token})
    assert [project["id"] for project in projects.tree["projects"]] == [who.project_id, joined]
    await world.set_project_enabled(who, enabled=False)
    assert await status(asking, token) == 404
    await world.set_project_enabled(who, enabled=True)
    await world.revoke(token)
    assert await status(asking, token) == 401
    key = await world.add_key(who, access_rules=True)
    ruled = await asking.token(world.iam.realm.keys[key.id])
    assert await status(asking, ruled) == 404
    await world.delete_key(key)
    token = await new_token(world, asking, who)
    await world.remove_user(who)
    assert await status(asking, token) == 404
