"""The project list, as the broker reads it."""

from dataclasses import replace

from broker.core.errors import Fault
from broker.issuer.keystone import Keystone
from tests.contracts.asking import by_id, failing
from tests.contracts.world import World


async def test_the_only_project(world: World, iam: Keystone):
    """A user with one project sees that one, by id and name."""
    who = await world.add_user()

    projects = await iam.projects((await iam.issue(by_id(await world.add_key(who)))).token)

    assert [(project["id"], project["name"], project["enabled"]) for project in projects] == [
        (who.project_id, who.project_name, True)
    ]
    assert projects[0]["domain_id"]


async def test_a_second_project(world: World, iam: Keystone):
    """A token sees a project that its user joined later, though it is good for its own only."""
    who = await world.add_user()
    token = (await iam.issue(by_id(await world.add_key(who)))).token

    joined = await world.join_project(who)

    assert {project["id"] for project in await iam.projects(token)} == {who.project_id, joined}


async def test_a_key_is_good_for_its_own_project(world: World, iam: Keystone):
    """Joining another project changes nothing in the tokens of a key."""
    who = await world.add_user()
    key = by_id(await world.add_key(who))

    await world.join_project(who)

    assert (await iam.issue(key)).token.project.id == who.project_id


async def test_the_list_of_another_user(world: World, iam: Keystone):
    """It is 403, which says nothing about the token: the broker does not take it for dead."""
    mine, theirs = [
        (await iam.issue(by_id(await world.add_key(await world.add_user())))).token for _ in range(2)
    ]

    error = await failing(iam.projects(replace(mine, user=theirs.user)), Fault.PROTOCOL)

    assert error.forbidden
    assert "(403)" in error.detail
    await iam.validate(mine)
