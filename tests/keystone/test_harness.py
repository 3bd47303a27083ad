"""The harness tells the truth: what Keystone is known to do happens here, at once, and is counted right."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime

import aiohttp
import pytest

from tests.contracts.world import Key, Principal
from tests.keystone.asking import by_id, by_name, issue, validate
from tests.keystone.copies import Copy, KeystoneError
from tests.keystone.fixtures import StartKeystone
from tests.keystone.world import KeystoneWorld
from tests.tls import ServerTls

pytestmark = pytest.mark.keystone

Act = Callable[[KeystoneWorld, Principal, Key], Awaitable[object]]


@pytest.mark.parametrize("method", [by_id, by_name])
async def test_both_methods_issue(keystone_world: KeystoneWorld, method: Callable[[Key], dict[str, object]]):
    """A key is good by its id, and by its name with its owner's id; the token carries the roles given, no others."""
    key = await keystone_world.add_key(await keystone_world.add_user("auditor", "operator"))

    issued = await issue(keystone_world, method(key))

    assert issued.status == 201
    assert issued.roles == {"auditor", "operator"}
    assert await validate(keystone_world, issued.token) == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 400),
        ({"Content-Type": "text/plain"}, 400),
        ({"Content-Type": "application/json; charset=utf-8"}, 201),
    ],
)
async def test_content_type_is_enforced(keystone_world: KeystoneWorld, headers: dict[str, str], status: int):
    """As at KakaoCloud, a POST that does not say it is JSON gets no token."""
    key = await keystone_world.add_key(await keystone_world.add_user())

    assert (await issue(keystone_world, by_id(key), headers)).status == status


ACTS: dict[str, tuple[Act, int, int]] = {
    "key deleted": (lambda world, _, key: world.delete_key(key), 404, 404),
    "user deleted": (lambda world, who, _: world.remove_user(who), 404, 404),
    "user disabled": (lambda world, who, _: world.set_user_enabled(who, enabled=False), 401, 401),
    "project disabled": (lambda world, who, _: world.set_project_enabled(who, enabled=False), 404, 404),
    "only role removed": (lambda world, who, _: world.remove_role(who, "member"), 401, 401),
    "password changed": (lambda world, who, _: world.change_password(who), 201, 401),
    "role added": (lambda world, who, _: world.add_role(who, "extra"), 201, 200),
}


@pytest.mark.parametrize(("act", "issues", "validates"), ACTS.values(), ids=ACTS.keys())
async def test_an_act_takes_effect_at_once(
    keystone_world: KeystoneWorld, act: Act, issues: int, validates: int
):
    """The very next issue and validation see what was done, though Keystone's caches had seen the opposite."""
    who = await keystone_world.add_user()
    key = await keystone_world.add_key(who)
    issued = await issue(keystone_world, by_id(key))
    assert await validate(keystone_world, issued.token) == 200

    await act(keystone_world, who, key)

    assert await validate(keystone_world, issued.token) == validates
    again = await issue(keystone_world, by_id(key))
    assert again.status == issues
    if issues == 201:
        assert await validate(keystone_world, again.token) == 200


async def test_one_of_two_roles_removed(keystone_world: KeystoneWorld):
    """A token survives with the roles that are left, and so does its key."""
    who = await keystone_world.add_user("auditor", "operator")
    key = await keystone_world.add_key(who)
    issued = await issue(keystone_world, by_id(key))

    await keystone_world.remove_role(who, "operator")

    assert await validate(keystone_world, issued.token) == 200
    assert (await issue(keystone_world, by_id(key))).roles == {"auditor"}


async def test_a_role_given_back_revives_the_token(keystone_world: KeystoneWorld):
    """The key outlives its only role, and so does the token."""
    who = await keystone_world.add_user()
    key = await keystone_world.add_key(who)
    issued = await issue(keystone_world, by_id(key))

    await keystone_world.remove_role(who, "member")
    await keystone_world.add_role(who, "member")

    assert await validate(keystone_world, issued.token) == 200


async def test_revoked(keystone_world: KeystoneWorld):
    """Revoking kills one token, and neither its key nor the key's other tokens."""
    key = await keystone_world.add_key(await keystone_world.add_user())
    first, second = [await issue(keystone_world, by_id(key)) for _ in range(2)]

    await keystone_world.revoke(first.token)

    assert await validate(keystone_world, first.token) == 401
    assert await validate(keystone_world, second.token) == 200


async def test_access_rules(keystone_world: KeystoneWorld):
    """A key with access rules issues, but its token cannot validate itself."""
    who = await keystone_world.add_user()
    key = await keystone_world.add_key(who, access_rules=True)

    issued = await issue(keystone_world, by_id(key))

    assert issued.status == 201
    assert await validate(keystone_world, issued.token) == 404


async def test_an_empty_list_of_access_rules(keystone_world: KeystoneWorld):
    """Keystone keeps it as none: the key may do everything, and nothing tells it from another."""
    key = await keystone_world.add_key(await keystone_world.add_user(), access_rules=[])

    issued = await issue(keystone_world, by_id(key))

    assert "access_rules" not in issued.body["token"]["application_credential"]
    assert await validate(keystone_world, issued.token) == 200


async def test_a_key_may_end(keystone_world: KeystoneWorld):
    """A token ends no later than its key."""
    key = await keystone_world.add_key(await keystone_world.add_user(), lifetime=3600)

    token = (await issue(keystone_world, by_id(key))).body["token"]

    issued, expires = (datetime.fromisoformat(token[field]) for field in ("issued_at", "expires_at"))
    assert 3590 < (expires - issued).total_seconds() <= 3600


async def test_key_after_deletions(keystone_world: KeystoneWorld):
    """A user may have a new key after its keys were deleted; without foreign keys in SQLite that is a false 409."""
    who = await keystone_world.add_user("auditor", "operator")
    for _ in range(3):
        await keystone_world.delete_key(await keystone_world.add_key(who, access_rules=True))

    assert (await issue(keystone_world, by_id(await keystone_world.add_key(who)))).status == 201


async def test_many_at_once(keystone_world: KeystoneWorld):
    """Twenty issues in parallel are all answered 201, and all of them count; the admin's logins do not."""
    key = await keystone_world.add_key(await keystone_world.add_user())
    requests, issued = await keystone_world.issue_requests(), await keystone_world.issued()
    moments = len(await keystone_world.issue_times())

    answers = await asyncio.gather(*(issue(keystone_world, by_id(key)) for _ in range(20)))
    refused = await issue(keystone_world, {"id": key.id, "secret": "wrong"})
    await keystone_world.join_project(await keystone_world.add_user())

    assert [answer.status for answer in answers] == [201] * 20
    assert refused.status == 401
    assert await keystone_world.issue_requests() - requests == 21
    assert await keystone_world.issued() - issued == 20
    times = await keystone_world.issue_times()
    assert len(times) - moments == 20
    assert times == sorted(times)


async def test_parallel_writers(keystone_world: KeystoneWorld):
    """Acts in parallel all succeed: SQLite's locks never show."""
    users = await asyncio.gather(*(keystone_world.add_user("member", "busy") for _ in range(6)))
    keys = await asyncio.gather(*(keystone_world.add_key(who) for who in users))
    await asyncio.gather(*(keystone_world.delete_key(key) for key in keys))


async def test_a_second_start_keeps_everything(start_keystone: StartKeystone):
    """After an outage the same port answers with the same users, keys, tokens and counts."""
    world = await start_keystone()
    key = await world.add_key(await world.add_user())
    issued, url = await issue(world, by_id(key)), world.url

    await world.process.stop()
    with pytest.raises(aiohttp.ClientConnectorError):
        await issue(world, by_id(key))
    await world.process.start()

    assert world.url == url
    assert await validate(world, issued.token) == 200
    assert (await issue(world, by_id(key))).status == 201
    assert await world.issue_requests() == await world.issued() == 2


async def test_tls_short_life_and_plain_content_type(start_keystone: StartKeystone, server_tls: ServerTls):
    """Options hold: TLS by a private CA that a stranger refuses, the asked life, Keystone's own lenience."""
    world = await start_keystone(life=4, tls=server_tls, require_content_type=False)
    key = await world.add_key(await world.add_user())

    issued = (await issue(world, by_id(key), {})).body["token"]

    assert world.url.startswith("https://")
    assert int(issued["expires_at"][17:19]) - int(issued["issued_at"][17:19]) in {4, 4 - 60}
    async with aiohttp.ClientSession() as stranger:
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await stranger.get(world.url)
    answers = await asyncio.gather(*(issue(world, by_id(key)) for _ in range(20)))
    assert [answer.status for answer in answers] == [201] * 20


async def test_dies_with_its_parent(start_keystone: StartKeystone):
    """When the pipe from the test closes, the server ends by itself."""
    server = (await start_keystone()).process._server
    assert isinstance(server, Copy)

    server.stdin.close()

    assert await asyncio.to_thread(server.line) == b""  # its end of the pipe is gone
    assert server.end() == 0


async def test_a_failed_start_says_why(start_keystone: StartKeystone, server_tls: ServerTls):
    """What the server wrote last is in the error."""
    missing = ServerTls(server_tls.ca_file, server_tls.cert, server_tls.key.with_name("missing"))
    with pytest.raises(KeystoneError, match=r"ended before it served(.|\n)*No such file"):
        await start_keystone(tls=missing)
