"""The emulator over a socket, without faults: what Keystone answers."""

from datetime import timedelta

import pytest

from broker.fakeiam.bodies import token_time
from broker.fakeiam.model import AccessRule
from broker.fakeiam.server import FakeIam
from tests.fakeiam.client import Client, both, request_body
from tests.fakeiam.clock import Clock


async def test_a_token_comes_with_all_its_parts(client: Client, clock: Clock):
    """201, the token in a header, and Keystone's body."""
    reply = await client.issue()
    token = reply.tree["token"]
    assert reply.status == 201
    assert reply.headers["x-subject-token"].startswith("gAAAAA")
    assert token["methods"] == ["application_credential"]
    assert token["user"]["id"] == client.iam.user.id
    assert token["user"]["domain"] == token["project"]["domain"]
    assert token["project"]["id"] == client.iam.user.home
    assert [role["name"] for role in token["roles"]] == ["member"]
    assert token["application_credential"] == {
        "id": client.iam.key.id,
        "name": "fake-key",
        "restricted": True,
    }
    assert token["issued_at"] == "2030-01-02T03:04:05.000000Z"
    assert token["expires_at"] == "2030-01-02T15:04:05.000000Z"
    assert len(token["audit_ids"][0]) == 22
    assert token["catalog"][0]["endpoints"][0]["url"] == client.url
    assert reply.headers["Date"] == "Wed, 02 Jan 2030 03:04:05 GMT"
    assert token_time(clock()) > token["issued_at"]


async def test_the_header_is_in_lower_case_on_the_wire(client: Client):
    """KakaoCloud's lab scripts look for it case-sensitively."""
    async with client.session.post(
        client.url + "/auth/tokens", json=request_body(client.iam.key)
    ) as response:
        assert b"x-subject-token" in [name for name, _ in response.raw_headers]


async def test_access_rules_show_in_the_body(client: Client):
    """That is how a client can know that validation will not work."""
    key = client.iam.realm.add_key(client.iam.user.id, access_rules=[AccessRule("r")])
    reply = await client.issue(key)
    assert reply.tree["token"]["application_credential"]["access_rules"][0]["id"] == "r"
    token = reply.headers["x-subject-token"]
    assert (await client.validate(token)).status == 404
    projects = await client.send("GET", f"/users/{client.iam.user.id}/projects", headers=both(token))
    assert projects.status == 401


@pytest.mark.parametrize("content_type", [None, "text/plain"])
async def test_a_missing_content_type_gives_no_token(client: Client, content_type: str | None):
    """400 in Keystone's shape."""
    headers = {"Content-Type": content_type} if content_type else {}
    reply = await client.send(
        "POST", "/auth/tokens", data=b'{"auth": {}}', headers=headers, skip_auto_headers=["Content-Type"]
    )
    assert reply.status == 400
    assert set(reply.tree["error"]) == {"code", "message", "title"}
    assert client.iam.counters.issue_requests == 1


async def test_a_huge_request_is_413(client: Client):
    """A page, from what is in front of Keystone."""
    reply = await client.send("POST", "/auth/tokens", json={"auth": "x" * 200_000})
    assert (reply.status, reply.headers["Content-Type"]) == (413, "text/html; charset=utf-8")


async def test_refusals_have_keystones_shape(client: Client):
    """401 names the scheme, 404 what was not found."""
    key = client.iam.realm.add_key(client.iam.user.id)
    client.iam.realm.delete_key(key.id)
    reply = await client.issue(key)
    assert reply.tree == {
        "error": {
            "code": 404,
            "message": f"Could not find Application Credential: {key.id}.",
            "title": "Not Found",
        }
    }
    reply = await client.validate("garbage")
    assert (reply.status, reply.tree["error"]["title"]) == (401, "Unauthorized")
    assert reply.headers["WWW-Authenticate"].startswith("Keystone uri=")


async def test_get_and_head_validate(client: Client):
    """The same headers; the catalog only without `nocatalog`; no body for HEAD."""
    token = await client.token()
    got, head = await client.validate(token), await client.validate(token, "HEAD")
    assert got.status == head.status == 200
    one_of_its_own = "x-openstack-request-id"
    assert got.headers.pop(one_of_its_own) != head.headers.pop(one_of_its_own)
    assert got.headers == head.headers
    assert got.headers["x-subject-token"] == token
    assert head.body == b""
    assert "catalog" not in got.tree["token"]
    full = await client.send("GET", "/auth/tokens", headers=both(token))
    assert full.tree["token"]["catalog"]


async def test_a_404_on_validation_tells_the_token(client: Client):
    """As one of Keystone's does: whoever logs error bodies logs tokens."""
    token = await client.token()
    client.iam.realm.delete_key(client.iam.key.id)
    reply = await client.validate(token)
    assert reply.status == 404
    assert token in reply.tree["error"]["message"]


async def test_a_token_of_the_second_of_a_revocation_is_issued_dead(client: Client, clock: Clock):
    """201, then 401 on its validation; a second later all is well."""
    client.iam.realm.change_password(client.iam.user.id)
    reply = await client.issue()
    assert reply.status == 201
    assert (await client.validate(reply.headers["x-subject-token"])).status == 401
    clock.forward(1)
    assert (await client.validate(await client.token())).status == 200


async def test_delete_revokes(client: Client):
    """204, and the token is dead."""
    token = await client.token()
    assert (await client.send("DELETE", "/auth/tokens", headers=both(token))).status == 204
    assert (await client.validate(token)).status == 401


async def test_a_token_cannot_be_exchanged(client: Client):
    """403 for one from an application credential, which is the only kind here."""
    exchange = {"auth": {"identity": {"methods": ["token"], "token": {"id": await client.token()}}}}
    assert (await client.send("POST", "/auth/tokens", json=exchange)).status == 403
    exchange["auth"]["identity"]["token"] = {"id": "garbage"}
    assert (await client.send("POST", "/auth/tokens", json=exchange)).status == 404
    assert client.iam.counters.issue_requests == 1


async def test_project_lists_have_pages(client: Client):
    """Following `links.next` gives every project once."""
    more = [client.iam.realm.join_project(client.iam.user.id).id for _ in range(4)]
    client.iam.state.page_size = 2
    headers = {"X-Auth-Token": await client.token()}
    seen, sizes = [], []
    following: str | None = f"{client.url}/users/{client.iam.user.id}/projects"
    while following:
        reply = await client.send("GET", following.removeprefix(client.url), headers=headers)
        seen += [project["id"] for project in reply.tree["projects"]]
        sizes.append(len(reply.tree["projects"]))
        following = reply.tree["links"]["next"]
    assert seen == [client.iam.user.home, *more]
    assert sizes == [2, 2, 1]


@pytest.mark.parametrize("query", ["?limit=0", "?limit=x", "?marker=x"])
async def test_bad_paging_is_400(client: Client, query: str):
    """A limit is a positive number, a marker is in the list."""
    headers = {"X-Auth-Token": await client.token()}
    reply = await client.send("GET", f"/users/{client.iam.user.id}/projects{query}", headers=headers)
    assert reply.status == 400


async def test_the_other_reads(client: Client):
    """Catalog, own projects, own key; another user's things are 403."""
    headers = {"X-Auth-Token": await client.token()}
    assert (await client.send("GET", "/auth/catalog", headers=headers)).tree["catalog"]
    assert len((await client.send("GET", "/auth/projects", headers=headers)).tree["projects"]) == 1
    assert (await client.send("GET", "/users/other/projects", headers=headers)).status == 403
    path = f"/users/{client.iam.user.id}/application_credentials/"
    assert (await client.send("GET", path + "other", headers=headers)).status == 404
    reply = await client.send("GET", path + client.iam.key.id, headers=headers)
    assert client.iam.key.secret.encode() not in reply.body
    assert reply.tree["application_credential"]["expires_at"] is None


async def test_a_keys_rules_are_listed(client: Client):
    """Another key of the user may look."""
    key = client.iam.realm.add_key(client.iam.user.id, access_rules=[AccessRule("r")])
    path = f"/users/{client.iam.user.id}/application_credentials/{key.id}"
    reply = await client.send("GET", path, headers={"X-Auth-Token": await client.token()})
    assert reply.tree["application_credential"]["access_rules"][0]["id"] == "r"


async def test_a_keys_expiry_has_no_offset(client: Client, clock: Clock):
    """Keystone leaves the Z away there."""
    key = client.iam.realm.add_key(client.iam.user.id, lifetime=60)
    path = f"/users/{client.iam.user.id}/application_credentials/{key.id}"
    reply = await client.send("GET", path, headers={"X-Auth-Token": await client.token()})
    expected = (clock() + timedelta(seconds=60)).replace(tzinfo=None).isoformat()
    assert reply.tree["application_credential"]["expires_at"] == expected


async def test_versions_and_unknown_paths(client: Client):
    """300 with a choice of one; a wrong path is HTML, so that it does not look like a dead key."""
    root = Client(client.iam, client.url.removesuffix("/v3"), client.session)
    assert (await root.send("GET", "")).status == 300
    assert (await root.send("GET", "/v3/")).tree["version"]["id"] == "v3.14"
    for method, path in (("GET", "/nix"), ("PUT", "/users"), ("POST", "/v3/auth/tokens")):
        reply = await client.send(method, path)
        assert (reply.status, reply.headers["Content-Type"]) == (404, "text/html; charset=utf-8")
    assert (await client.send("PUT", "/auth/tokens")).status == 405


async def test_the_observer_is_told_no_token(client: Client):
    """Method, path and status; what may be a token in a path is cut."""
    seen: list[tuple[str, str, int]] = []
    client.iam._observer = lambda *told: seen.append(told)
    token = await client.token()
    await client.send("GET", f"/nix/{token}?t={token}")
    assert seen == [
        ("POST", "/identity/v3/auth/tokens", 201),
        ("GET", f"/identity/v3/nix/{token[:8]}...", 404),
    ]


async def test_a_taken_port_is_an_oserror(iam: FakeIam):
    """The command turns it into a sentence."""
    async with iam.serve() as url:
        port = int(url.split(":")[2].split("/")[0])
        with pytest.raises(OSError, match="in use"):
            async with FakeIam().serve(port):
                pass
