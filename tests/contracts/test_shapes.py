"""The emulator's answers have the shape of Keystone's: the same names, the same kinds of values, the same headers.

- The cases of the other modules hold what the broker reads. This one holds the rest, which workloads may read.
- What may differ is in `ALLOWED`, each with its reason; a difference that is gone must leave that list.
"""

from collections.abc import Awaitable, Callable

import pytest

from tests.contracts.asking import JSON, PREFIX, Answer, ask, itself, post, with_key, with_token
from tests.contracts.fake_world import FakeWorld
from tests.contracts.shape import headers, shape
from tests.contracts.world import World
from tests.keystone.world import KeystoneWorld

TOKENS = f"{PREFIX}/auth/tokens"


async def issued(world: World) -> Answer:
    return await post(world, with_key(await world.add_key(await world.add_user("auditor", "operator"))))


async def issued_for_a_while(world: World) -> Answer:
    return await post(world, with_key(await world.add_key(await world.add_user(), lifetime=3600)))


async def issued_with_access_rules(world: World) -> Answer:
    return await post(world, with_key(await world.add_key(await world.add_user(), access_rules=True)))


async def validated(world: World) -> Answer:
    return await ask(world, "GET", TOKENS, headers=itself((await issued(world)).token))


async def validated_without_catalog(world: World) -> Answer:
    return await ask(world, "GET", f"{TOKENS}?nocatalog", headers=itself((await issued(world)).token))


async def projects(world: World) -> Answer:
    new = await issued(world)
    path = f"{PREFIX}/users/{new.body['token']['user']['id']}/projects"
    return await ask(world, "GET", path, headers=itself(new.token))


async def own_projects(world: World) -> Answer:
    return await ask(world, "GET", f"{PREFIX}/auth/projects", headers=itself((await issued(world)).token))


async def catalog(world: World) -> Answer:
    return await ask(world, "GET", f"{PREFIX}/auth/catalog", headers=itself((await issued(world)).token))


async def key_of(world: World, *, access_rules: bool = False, lifetime: float | None = None) -> Answer:
    who = await world.add_user()
    token = (await post(world, with_key(await world.add_key(who)))).token
    key = await world.add_key(who, access_rules=access_rules, lifetime=lifetime)
    path = f"{PREFIX}/users/{who.user_id}/application_credentials/{key.id}"
    return await ask(world, "GET", path, headers=itself(token))


async def key_with_all(world: World) -> Answer:
    return await key_of(world, access_rules=True, lifetime=3600)


async def unrestricted_key(world: World) -> Answer:
    who = await world.add_user()
    key = await world.add_key(who, unrestricted=True)
    token = (await post(world, with_key(key))).token
    path = f"{PREFIX}/users/{who.user_id}/application_credentials/{key.id}"
    return await ask(world, "GET", path, headers=itself(token))


async def malformed(world: World) -> Answer:
    return await ask(world, "POST", TOKENS, {}, JSON)


async def wrong_secret(world: World) -> Answer:
    identity = with_key(await world.add_key(await world.add_user()))
    credential = identity["application_credential"]
    assert isinstance(credential, dict)
    credential["secret"] = "wrong"
    return await post(world, identity)


async def unknown_key(world: World) -> Answer:
    identity = {"methods": ["application_credential"]}
    return await post(world, identity | {"application_credential": {"id": "0" * 32, "secret": "any"}})


async def scope(world: World) -> Answer:
    key = await world.add_key(await world.add_user())
    return await post(world, with_key(key), scope={"project": {"id": "0" * 32}})


async def exchange(world: World) -> Answer:
    return await post(world, with_token((await issued(world)).token))


async def garbage(world: World) -> Answer:
    return await ask(world, "GET", TOKENS, headers=itself("garbage"))


async def unknown_path(world: World) -> Answer:
    return await ask(world, "GET", f"{PREFIX}/nowhere")


async def wrong_method(world: World) -> Answer:
    return await ask(world, "PATCH", TOKENS)


async def versions(world: World) -> Answer:
    return await ask(world, "GET", "/identity")


async def version(world: World) -> Answer:
    return await ask(world, "GET", PREFIX)


CASES: list[Callable[[World], Awaitable[Answer]]] = [
    issued,
    issued_for_a_while,
    issued_with_access_rules,
    validated,
    validated_without_catalog,
    projects,
    own_projects,
    catalog,
    key_of,
    key_with_all,
    unrestricted_key,
    malformed,
    wrong_secret,
    unknown_key,
    scope,
    exchange,
    garbage,
    unknown_path,
    wrong_method,
    versions,
    version,
]

ALLOWED = {
    # Left by the way Keystone's authentication plugins raise; it is always empty, and no client reads it.
    "scope": {"$.error.identity: object"},
}
# Keystone's cache hands out one object for a role, and whatever has shown the role with its links has left them in it.
UNSTEADY = {
    "$.application_credential.roles[].links: object",
    "$.application_credential.roles[].links.self: address",
}


@pytest.mark.keystone
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
async def test_shape(keystone_world: KeystoneWorld, case: Callable[[World], Awaitable[Answer]]):
    """Status, headers and body are alike on both."""
    async with FakeWorld.serving() as fake_world:
        fake, true = await case(fake_world), await case(keystone_world)

    assert fake.status == true.status
    assert headers(fake.headers) == headers(true.headers)
    assert (shape(fake.body) ^ shape(true.body)) - UNSTEADY == ALLOWED.get(case.__name__, set())


def test_a_shape_tells_kinds_apart():
    """The oracle itself: a name, a kind or a Z that differs is seen."""
    body = {"a": [{"at": "2026-10-02T08:00:00.000000Z", "n": 1, "no": None, "yes": True}], "b": []}

    assert shape(body) == {
        "$: object",
        "$.a: list",
        "$.a[]: object",
        "$.a[].at: time ending in Z",
        "$.a[].n: number",
        "$.a[].no: null",
        "$.a[].yes: boolean",
        "$.b: list",
    }
    assert shape("2026-10-02T08:00:00.000000") == {"$: time without offset"}
