"""What an access key gets, and what it does not."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from broker.core.errors import Fault
from broker.core.model import AccessKey, KeyById, KeyByName
from broker.core.secret import Secret
from broker.issuer.keystone import Keystone
from tests.contracts.asking import PREFIX, ask, asking, by_id, by_name, ends, failing, itself, outlive
from tests.contracts.world import Key, World

Method = Callable[[Key], AccessKey]
both_methods = pytest.mark.parametrize("method", [by_id, by_name])
NOBODY = "0" * 32


def another(secret: str) -> str:
    """A wrong secret. The difference is in front: bcrypt reads 72 of its 86 bytes."""
    return ("a" if secret[0] != "a" else "b") + secret[1:]


@both_methods
async def test_a_key_gets_a_token(world: World, iam: Keystone, method: Method):
    """By id and by name alike, with the owner, the project and exactly the roles given."""
    who = await world.add_user("auditor", "operator")

    reply = await iam.issue(method(await world.add_key(who)))

    assert (reply.token.user.id, reply.token.user.name) == (who.user_id, who.user_name)
    assert (reply.token.project.id, reply.token.project.name) == (who.project_id, who.project_name)
    assert {role.name for role in reply.token.roles} == {"auditor", "operator"}
    assert reply.token.value.reveal().startswith("gAAAAA")
    assert (await iam.validate(reply.token)).roles == {role.id for role in reply.token.roles}


async def test_a_token_lives_twelve_hours(world: World, iam: Keystone):
    """Its times are UTC with a literal Z and floored to the second: clients parse them as IAM wrote them."""
    reply = await iam.issue(by_id(await world.add_key(await world.add_user())))

    issued, expires = reply.token.issued_at, reply.token.expires_at
    bare = await ask(
        world, "GET", f"{PREFIX}/auth/tokens?nocatalog", headers=itself(reply.token.value.reveal())
    )
    assert (issued, expires) == (bare.body["token"]["issued_at"], bare.body["token"]["expires_at"])
    assert issued.endswith(".000000Z")
    assert expires.endswith(".000000Z")
    assert (datetime.fromisoformat(expires) - datetime.fromisoformat(issued)).total_seconds() == 43200
    # IAM's clock may have ticked on between the token and the answer.
    assert 43198 <= reply.lifetime <= 43200
    assert reply.date is not None
    # The clock of a validation is the same one, told later.
    validity = await iam.validate(reply.token)
    assert validity.date is not None
    assert timedelta() <= validity.date - reply.date < timedelta(seconds=20)


async def test_a_key_clamps_its_tokens(world: World, iam: Keystone):
    """A token ends no later than its key."""
    reply = await iam.issue(by_id(await world.add_key(await world.add_user(), lifetime=3600)))

    assert 3590 < reply.lifetime <= 3600


async def test_an_ended_key(world: World, iam: Keystone):
    """A key that has ended gets no token, and its last one is dead: 401 both.

    In the key's last fraction of a second IAM issues tokens whose floored end is their beginning; those the broker
    does not take.
    """
    key = by_id(await world.add_key(await world.add_user(), lifetime=5))
    token = (await iam.issue(key)).token

    await outlive(lambda: iam.issue(key), Fault.PROTOCOL)

    await ends(iam.issue(key), 401)
    await ends(iam.validate(token), 401)


@both_methods
@pytest.mark.parametrize("spoil", [another, lambda _: ""], ids=["wrong", "empty"])
async def test_a_secret_that_is_not_the_keys(
    world: World, iam: Keystone, method: Method, spoil: Callable[[str], str]
):
    """It is 401, and the key stays good for whoever knows the right one."""
    key = await world.add_key(await world.add_user())

    await ends(iam.issue(method(replace(key, secret=spoil(key.secret)))), 401)

    await iam.issue(method(key))


async def test_an_unknown_id(iam: Keystone):
    """It is 404, as a deleted key is, and means the same: this key is dead."""
    await ends(iam.issue(KeyById(NOBODY, Secret("any"))), 404)


async def test_an_unknown_name_or_owner(world: World, iam: Keystone):
    """It is 401, though an unknown id is 404."""
    key = await world.add_key(await world.add_user())

    await ends(iam.issue(KeyByName("no-such-key", key.user_id, Secret(key.secret))), 401)
    await ends(iam.issue(KeyByName(key.name, NOBODY, Secret(key.secret))), 401)


async def test_a_name_belongs_to_its_owner(world: World, iam: Keystone):
    """Another user's id with a key's name is 401."""
    key = await world.add_key(await world.add_user())
    other = await world.add_user()

    await ends(iam.issue(KeyByName(key.name, other.user_id, Secret(key.secret))), 401)


async def test_every_issue_gives_a_new_token(world: World, iam: Keystone):
    """Many at once get distinct tokens, and all of them live: a new one does not end the others."""
    key = by_id(await world.add_key(await world.add_user()))

    tokens = [reply.token for reply in await asyncio.gather(*(iam.issue(key) for _ in range(8)))]

    assert len({token.digest for token in tokens}) == 8
    assert len(await asyncio.gather(*(iam.validate(token) for token in tokens))) == 8


async def test_what_was_issued_is_counted(world: World, iam: Keystone):
    """The counts that other tests rely on hold: one request, one token."""
    key = await world.add_key(await world.add_user())
    requests, issued = await world.issue_requests(), await world.issued()

    await iam.issue(by_id(key))
    await ends(iam.issue(by_id(replace(key, secret=another(key.secret)))), 401)

    assert (await world.issue_requests() - requests, await world.issued() - issued) == (2, 1)


@pytest.mark.parametrize("slip", [lambda url: f"{url}/v3", lambda url: url.removesuffix("/v3")])
async def test_a_wrong_address_kills_no_key(world: World, slip: Callable[[str], str]):
    """An unknown path is a page of HTML with 404: the broker blames iam.url, not the key."""
    key = by_id(await world.add_key(await world.add_user()))
    async with asking(world) as right, asking(world, url=slip(world.url)) as wrong:
        token = (await right.issue(key)).token
        for attempt in (wrong.issue(key), wrong.validate(token), wrong.projects(token)):
            error = await failing(attempt, Fault.PROTOCOL)
            assert "iam.url" in error.detail
