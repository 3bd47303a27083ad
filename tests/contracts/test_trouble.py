"""What befalls a key, its user and its project, and what IAM answers then.

- The very next request sees what was done, though IAM had just said the opposite.
- 401 and 404 are Keystone's two ways to say dead; which of them it is differs from trouble to trouble.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from broker.core.errors import Fault
from broker.core.secret import Secret
from broker.issuer.keystone import Keystone
from tests.contracts.asking import by_id, by_name, ends, fault_of
from tests.contracts.world import Key, Principal, World

Act = Callable[[World, Principal, Key], Awaitable[object]]

# What was done; how the key fares by id, by name; how its token fares.
TROUBLES: dict[str, tuple[Act, int, int, int]] = {
    "nothing": (lambda world, who, _: world.add_key(who), 201, 201, 200),
    "key deleted": (lambda world, _, key: world.delete_key(key), 404, 401, 404),
    "user deleted": (lambda world, who, _: world.remove_user(who), 404, 401, 404),
    "user disabled": (lambda world, who, _: world.set_user_enabled(who, enabled=False), 401, 401, 401),
    "project disabled": (
        lambda world, who, _: world.set_project_enabled(who, enabled=False),
        404,
        404,
        404,
    ),
    "project deleted": (lambda world, who, _: world.remove_project(who), 404, 404, 404),
    "only role removed": (lambda world, who, _: world.remove_role(who, "member"), 401, 401, 401),
    "password changed": (lambda world, who, _: world.change_password(who), 201, 201, 401),
    "role added": (lambda world, who, _: world.add_role(who, "extra"), 201, 201, 200),
}


@pytest.mark.parametrize(("act", "by_ids", "by_names", "lives"), TROUBLES.values(), ids=TROUBLES)
async def test_trouble(world: World, iam: Keystone, act: Act, by_ids: int, by_names: int, lives: int):
    """Each row of the table, and a token that a key still gets is good."""
    who = await world.add_user()
    key = await world.add_key(who)
    token = (await iam.issue(by_id(key))).token
    await iam.validate(token)

    await act(world, who, key)

    await ends(iam.validate(token), lives)
    await ends(iam.projects(token), lives)
    await ends(iam.issue(by_id(key)), by_ids)
    await ends(iam.issue(by_name(key)), by_names)
    if by_ids == 201:
        await iam.validate((await iam.issue(by_id(key))).token)


async def test_a_revocation_by_user_reaches_forward(world: World, iam: Keystone):
    """A token issued later in the same second is 201 and dead at once: after a new token, one more look is due."""
    who = await world.add_user()
    key = by_id(await world.add_key(who))
    # The next second may begin between revocation and issue, but not each time.
    for _ in range(5):
        before = (await iam.issue(key)).token
        await world.change_password(who, settle=False)
        after = (await iam.issue(key)).token
        await ends(iam.validate(before), 401)
        if await fault_of(iam.validate(after)) is Fault.REJECTED:
            return
    pytest.fail("every token issued in the second of a revocation was good")


async def test_a_user_disabled_and_enabled_in_one_second(world: World, iam: Keystone):
    """The disabling is not forgotten with it: the old token is dead."""
    who = await world.add_user()
    token = (await iam.issue(by_id(await world.add_key(who)))).token

    await world.set_user_enabled(who, enabled=False, settle=False)
    await world.set_user_enabled(who, enabled=True)

    await ends(iam.validate(token), 401)


async def test_a_user_enabled_again(world: World, iam: Keystone):
    """Its key works again; the tokens from before are dead for good."""
    who = await world.add_user()
    key = by_id(await world.add_key(who))
    token = (await iam.issue(key)).token

    await world.set_user_enabled(who, enabled=False)
    await world.set_user_enabled(who, enabled=True)

    await ends(iam.validate(token), 401)
    await iam.validate((await iam.issue(key)).token)


async def test_a_project_enabled_again(world: World, iam: Keystone):
    """Its key works again, and so does a token that was dead meanwhile."""
    who = await world.add_user()
    key = by_id(await world.add_key(who))
    token = (await iam.issue(key)).token

    await world.set_project_enabled(who, enabled=False)
    await ends(iam.validate(token), 404)
    await world.set_project_enabled(who, enabled=True)

    await iam.validate(token)
    await iam.issue(key)


async def test_one_of_two_roles_removed(world: World, iam: Keystone):
    """The token lives on with fewer roles, at once; the key gets tokens with the rest."""
    who = await world.add_user("auditor", "operator")
    key = by_id(await world.add_key(who))
    token = (await iam.issue(key)).token
    ids = {role.name: role.id for role in token.roles}

    await world.remove_role(who, "operator")

    assert (await iam.validate(token)).roles == {ids["auditor"]}
    assert [role.name for role in (await iam.issue(key)).token.roles] == ["auditor"]


async def test_one_of_two_roles_given_back(world: World, iam: Keystone):
    """The token has it again, and so has one that was issued without it: it is the key that remembers."""
    who = await world.add_user("auditor", "operator")
    key = by_id(await world.add_key(who))
    token = (await iam.issue(key)).token
    both = {role.id for role in token.roles}

    await world.remove_role(who, "operator")
    poorer = (await iam.issue(key)).token
    assert len(poorer.roles) == len((await iam.validate(token)).roles) == 1
    await world.add_role(who, "operator")

    assert len(both) == 2
    for held in (token, poorer):
        assert (await iam.validate(held)).roles == both


async def test_the_only_role_given_back(world: World, iam: Keystone):
    """Key and token come back to life with it."""
    who = await world.add_user()
    key = by_id(await world.add_key(who))
    token = (await iam.issue(key)).token

    await world.remove_role(who, "member")
    await ends(iam.validate(token), 401)
    await ends(iam.issue(key), 401)
    await world.add_role(who, "member")

    assert (await iam.validate(token)).roles == {role.id for role in token.roles}
    await iam.issue(key)


async def test_a_role_added(world: World, iam: Keystone):
    """A key is a snapshot of its owner's roles: neither old nor new tokens have the new one; a new key does."""
    who = await world.add_user()
    key = by_id(await world.add_key(who))
    token = (await iam.issue(key)).token

    await world.add_role(who, "extra")

    assert (await iam.validate(token)).roles == {role.id for role in token.roles}
    assert {role.name for role in (await iam.issue(key)).token.roles} == {"member"}
    newer = (await iam.issue(by_id(await world.add_key(who)))).token
    assert {role.name for role in newer.roles} == {"member", "extra"}


async def test_a_revoked_token(world: World, iam: Keystone):
    """It is dead; the key's other tokens live, and the key gets more."""
    key = by_id(await world.add_key(await world.add_user()))
    first, second = [(await iam.issue(key)).token for _ in range(2)]

    await world.revoke(first.value.reveal())

    await ends(iam.validate(first), 401)
    await iam.validate(second)
    await iam.validate((await iam.issue(key)).token)


async def test_one_of_two_keys_deleted(world: World, iam: Keystone):
    """The other key and its token do not notice: this is how keys are rotated."""
    who = await world.add_user()
    old, new = await world.add_key(who), await world.add_key(who)
    before, after = [(await iam.issue(by_id(key))).token for key in (old, new)]

    await world.delete_key(old)

    await ends(iam.validate(before), 404)
    await iam.validate(after)
    await iam.issue(by_id(new))


async def test_garbage_is_no_token(world: World, iam: Keystone):
    """It is 401, about itself and for the project list."""
    token = (await iam.issue(by_id(await world.add_key(await world.add_user())))).token
    garbage = replace(token, value=Secret("garbage"))

    await ends(iam.validate(garbage), 401)
    await ends(iam.projects(garbage), 401)


async def test_a_key_with_access_rules(world: World, iam: Keystone):
    """It gets tokens, but they look dead to whoever asks by them: 404 about itself, 401 for the project list."""
    key = by_id(await world.add_key(await world.add_user(), access_rules=True))

    token = (await iam.issue(key)).token

    await ends(iam.validate(token), 404)
    await ends(iam.projects(token), 401)
