"""The access key itself: what its token says of it, and what IAM tells its owner.

`restricted` in a token and `unrestricted` in a key are two words for one thing; the broker's facts use the first.
"""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from broker.core.errors import Fault
from broker.core.model import KeyFacts
from broker.issuer.keystone import Keystone
from tests.contracts.asking import by_id, by_name, ends, failing
from tests.contracts.world import World

NOBODY = "0" * 32


@pytest.mark.parametrize(("unrestricted", "restricted"), [(None, True), (False, True), (True, False)])
async def test_a_token_and_its_key_say_the_same(
    world: World, iam: Keystone, unrestricted: bool | None, restricted: bool
):
    """Whichever way the key is named; and a key that does not end says so."""
    key = await world.add_key(await world.add_user(), unrestricted=unrestricted)

    for method in (by_id, by_name):
        token = (await iam.issue(method(key))).token

        assert (token.key_id, token.restricted, token.access_rules) == (key.id, restricted, False)
        assert token.key_expires_at is None
        assert await iam.key_facts(token) == KeyFacts(None, restricted, access_rules=False)


async def test_a_keys_end(world: World, iam: Keystone):
    """It is UTC without a Z, it is where the key's tokens end, and only the key tells it."""
    token = (await iam.issue(by_id(await world.add_key(await world.add_user(), lifetime=3600)))).token

    facts = await iam.key_facts(token)

    assert token.key_expires_at is None
    assert facts.expires_at is not None
    end = datetime.fromisoformat(facts.expires_at)
    assert end.tzinfo is None
    assert end.replace(microsecond=0, tzinfo=UTC) == datetime.fromisoformat(token.expires_at)


async def test_a_key_with_access_rules(world: World, iam: Keystone):
    """Its token says so, and cannot look at the key: 401. Another key of its owner can."""
    who = await world.add_user()
    ruled, plain = await world.add_key(who, access_rules=True), await world.add_key(who)
    bound, free = [(await iam.issue(by_id(key))).token for key in (ruled, plain)]

    assert (bound.key_id, bound.restricted, bound.access_rules) == (ruled.id, True, True)
    await ends(iam.key_facts(bound), 401)
    assert await iam.key_facts(replace(free, key_id=ruled.id)) == KeyFacts(None, True, access_rules=True)


async def test_a_key_that_is_not_there(world: World, iam: Keystone):
    """Deleted or never made, it is 404, for its own token and for another of its owner."""
    who = await world.add_user()
    gone, there = await world.add_key(who), await world.add_key(who)
    dead, alive = [(await iam.issue(by_id(key))).token for key in (gone, there)]
    await iam.key_facts(dead)

    await world.delete_key(gone)

    await ends(iam.key_facts(dead), 404)
    await ends(iam.key_facts(replace(alive, key_id=gone.id)), 404)
    await ends(iam.key_facts(replace(alive, key_id=NOBODY)), 404)


async def test_the_key_of_another(world: World, iam: Keystone):
    """It is 403, which says nothing about the token: the broker does not take it for dead."""
    mine, theirs = [
        (await iam.issue(by_id(await world.add_key(await world.add_user())))).token for _ in range(2)
    ]

    error = await failing(iam.key_facts(replace(mine, key_id=theirs.key_id)), Fault.PROTOCOL)

    assert error.forbidden
    await iam.validate(mine)
