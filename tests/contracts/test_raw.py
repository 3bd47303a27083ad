"""What IAM answers to requests that the broker never sends, or no longer can: its facade and the emulator rely on it."""

import json
from typing import Any

import pytest

from tests.contracts.asking import JSON, PREFIX, ask, itself, post, with_key, with_token
from tests.contracts.world import World

TOKENS = f"{PREFIX}/auth/tokens"


@pytest.mark.parametrize(
    "headers", [{}, {"Content-Type": "text/plain"}], ids=["no content type", "text/plain"]
)
async def test_only_json_gets_a_token(world: World, headers: dict[str, str]):
    """A POST that does not say it is JSON is 400 and carries no token, as at KakaoCloud since April 2026."""
    key = await world.add_key(await world.add_user())

    answer = await post(world, with_key(key), headers)

    assert (answer.status, answer.token) == (400, "")


async def test_json_with_a_charset_is_json(world: World):
    """Many clients say so."""
    key = await world.add_key(await world.add_user())

    answer = await post(world, with_key(key), {"Content-Type": "application/json; charset=utf-8"})

    assert answer.status == 201
    assert answer.token


@pytest.mark.parametrize("kind", ["own project", "unscoped"])
async def test_a_scope_is_refused(world: World, kind: str):
    """Any scope with an access key is 401, its own project included: the broker must never send one."""
    who = await world.add_user()
    scope = {"project": {"id": who.project_id}} if kind == "own project" else "unscoped"

    answer = await post(world, with_key(await world.add_key(who)), scope=scope)

    assert (answer.status, answer.token) == (401, "")


@pytest.mark.parametrize("scoped", [False, True])
async def test_a_token_is_not_exchanged(world: World, scoped: bool):
    """A token of an access key gets no other token: 403, and it lives on."""
    who = await world.add_user()
    token = (await post(world, with_key(await world.add_key(who)))).token
    scope: dict[str, Any] = {"scope": {"project": {"id": who.project_id}}} if scoped else {}

    answer = await post(world, with_token(token), **scope)

    assert (answer.status, answer.token) == (403, "")
    assert (await ask(world, "GET", TOKENS, headers=itself(token))).status == 200


async def test_garbage_is_not_exchanged(world: World):
    """It is 404."""
    assert (await post(world, with_token("garbage"))).status == 404


MALFORMED = {
    "nothing": b"",
    "half": b'{"auth": ',
    "no object": b"[]",
    "no auth": b"{}",
    "no identity": {"auth": {}},
    "no methods": {"auth": {"identity": {}}},
    "no credential": {"auth": {"identity": {"methods": ["application_credential"]}}},
    "no id": {"auth": {"identity": {"methods": ["application_credential"], "application_credential": {}}}},
    "no such method": {"auth": {"identity": {"methods": ["dance"]}}},
    "no password": {"auth": {"identity": {"methods": ["password"], "token": {"id": "any"}}}},
    "no second method": {"auth": {"identity": {"methods": ["token", "password"], "token": {"id": "any"}}}},
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED)
async def test_malformed(world: World, body: object):
    """It is 400, in Keystone's words."""
    answer = await ask(world, "POST", TOKENS, body, JSON)

    assert answer.status == 400
    assert answer.body["error"]["code"] == 400
    assert answer.body["error"]["title"] == "Bad Request"


METHODS = {
    "no method": {"methods": []},
    "a method that is off": {"methods": ["dance"], "dance": {}},
}


@pytest.mark.parametrize("identity", METHODS.values(), ids=METHODS)
async def test_no_way_to_log_in(world: World, identity: dict[str, object]):
    """It is well formed, and 401."""
    assert (await post(world, identity)).status == 401


@pytest.mark.parametrize(
    ("auth", "subject", "status"),
    [(False, False, 401), (False, True, 401), (True, False, 403)],
    ids=["neither header", "no X-Auth-Token", "no X-Subject-Token"],
)
async def test_validation_wants_both_headers(world: World, auth: bool, subject: bool, status: int):
    """Who asks, and about what; one of them alone is refused."""
    token = (await post(world, with_key(await world.add_key(await world.add_user())))).token
    headers = {name: token for name, sent in (("X-Auth-Token", auth), ("X-Subject-Token", subject)) if sent}

    assert (await ask(world, "GET", TOKENS, headers=headers)).status == status


async def test_a_living_token_may_ask_about_garbage(world: World):
    """It is 404: whoever validates must send the token itself as both."""
    token = (await post(world, with_key(await world.add_key(await world.add_user())))).token

    headers = {"X-Auth-Token": token, "X-Subject-Token": "garbage"}

    assert (await ask(world, "GET", TOKENS, headers=headers)).status == 404


async def test_whose_key_it_is(world: World):
    """A key is its owner's, whichever user the path names; one that is not there is looked for at the user."""
    mine, theirs = [await world.add_key(await world.add_user()) for _ in range(2)]
    token = (await post(world, with_key(mine))).token

    async def status(user_id: str, key_id: str) -> int:
        path = f"{PREFIX}/users/{user_id}/application_credentials/{key_id}"
        return (await ask(world, "GET", path, headers={"X-Auth-Token": token})).status

    nobody = "0" * 32
    for user_id, gone in ((mine.user_id, 404), (theirs.user_id, 403), (nobody, 403)):
        statuses = [await status(user_id, key_id) for key_id in (mine.id, theirs.id, nobody)]
        assert statuses == [200, 403, gone]


async def test_a_head_is_enough(world: World):
    """HEAD says whether a token lives, without a body."""
    token = (await post(world, with_key(await world.add_key(await world.add_user())))).token

    answer = await ask(world, "HEAD", f"{TOKENS}?nocatalog", headers=itself(token))

    assert (answer.status, answer.body, answer.token) == (200, None, token)


async def test_the_catalog_comes_unless_refused(world: World):
    """Both a new token and a validated one bring it; `nocatalog` leaves it out."""
    new = await post(world, with_key(await world.add_key(await world.add_user())))
    old = await ask(world, "GET", TOKENS, headers=itself(new.token))
    bare = await ask(world, "GET", f"{TOKENS}?nocatalog", headers=itself(new.token))

    assert new.body["token"]["catalog"] == old.body["token"]["catalog"]
    assert new.body["token"]["catalog"]
    assert "catalog" not in bare.body["token"]


async def test_a_token_may_end_itself(world: World):
    """DELETE with the token as both headers is 204, and it is dead."""
    token = (await post(world, with_key(await world.add_key(await world.add_user())))).token

    assert (await ask(world, "DELETE", TOKENS, headers=itself(token))).status == 204

    assert (await ask(world, "GET", TOKENS, headers=itself(token))).status == 401


@pytest.mark.parametrize("path", ["/identity", "/identity/"])
async def test_the_versions(world: World, path: str):
    """There is one version; the answer is 300, and names where it is."""
    answer = await ask(world, "GET", path)

    assert answer.status == 300
    assert [version["id"][:2] for version in answer.body["versions"]["values"]] == ["v3"]
    assert answer.headers["Location"] == f"{world.url}/"


@pytest.mark.parametrize("path", [PREFIX, f"{PREFIX}/"])
async def test_the_version(world: World, path: str):
    """It is 200 without a token, and its link leads here: clients discover by it."""
    answer = await ask(world, "GET", path)

    assert answer.status == 200
    assert answer.body["version"]["status"] == "stable"
    assert answer.body["version"]["links"] == [{"rel": "self", "href": f"{world.url}/"}]


@pytest.mark.parametrize(
    "path", [f"{PREFIX}/nowhere", f"{PREFIX}{PREFIX}", "/identity/v2.0", "/nowhere", "/"]
)
async def test_an_unknown_path(world: World, path: str):
    """It is 404 as HTML, which tells it from a dead key."""
    answer = await ask(world, "GET", path)

    assert answer.status == 404
    assert answer.headers["Content-Type"].startswith("text/html")


async def test_a_method_that_is_not_there(world: World):
    """It is 405 with the ones that are, and not Keystone's error."""
    answer = await ask(world, "PATCH", TOKENS)

    assert answer.status == 405
    assert "error" not in answer.body
    assert {"GET", "HEAD", "POST", "DELETE"} <= set(answer.headers["Allow"].split(", "))


async def test_a_refusal_shows_no_secret(world: World):
    """Not even the wrong one that was sent."""
    key = await world.add_key(await world.add_user())
    identity = with_key(key) | {"application_credential": {"id": key.id, "secret": "canary-secret"}}

    answer = await post(world, identity)

    assert answer.status == 401
    assert "canary-secret" not in json.dumps(answer.body)
