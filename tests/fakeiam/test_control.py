"""The control API, as curl uses it."""

from tests.fakeiam.client import Client


async def test_faults_come_and_go(client: Client):
    """Texts in, numbers out."""
    added = await client.control("POST", "/faults", "429:retry-after=3")
    assert added.status == 201
    number = added.tree["number"]
    listed = (await client.control("GET", "/faults")).tree
    assert listed == [{"number": number, "fault": "429:body=json,retry-after=3", "left": None}]
    assert (await client.issue()).status == 429
    assert (await client.control("DELETE", f"/faults/{number}")).status == 200
    assert (await client.issue()).status == 201
    assert (await client.control("DELETE", f"/faults/{number}")).status == 404
    assert (await client.control("DELETE", "/faults")).status == 200


async def test_a_mistake_is_one_sentence(client: Client):
    """400 or 404, as JSON."""
    for method, path, body, status in (
        ("POST", "/faults", "nix", 400),
        ("PUT", "/life", "long", 400),
        ("PUT", "/page-size", "-1", 400),
        ("POST", "/users", '{"role": []}', 400),
        ("POST", "/users", '{"roles": [1]}', 400),
        ("POST", "/keys", "{", 400),
        ("POST", "/keys", '{"user": "x"}', 404),
        ("PUT", f"/users/{client.iam.user.id}/enabled", "maybe", 400),
        ("DELETE", "/keys/x", "", 404),
    ):
        reply = await client.control(method, path, body)
        assert (reply.status, list(reply.tree)) == (status, ["error"]), path


async def test_users_roles_and_keys_can_be_changed(client: Client):
    """A whole life, from making a user to deleting it."""
    user = (await client.control("POST", "/users", '{"roles": ["member", "reader"]}')).tree
    made = (await client.control("POST", "/keys", f'{{"user": "{user["id"]}", "lifetime": "15m"}}')).tree
    key = client.iam.realm.keys[made["id"]]
    assert made["secret"] == key.secret
    token = await client.token(key)
    await client.control("DELETE", f"/users/{user['id']}/roles/reader")
    roles = (await client.validate(token)).tree["token"]["roles"]
    assert [role["name"] for role in roles] == ["member"]
    for path, status in ((f"/projects/{user['home']}/enabled", 404), (f"/users/{user['id']}/enabled", 401)):
        await client.control("PUT", path, "false")
        assert (await client.issue(key)).status == status
        await client.control("PUT", path, "true")
    assert (await client.issue(key)).status == 201
    await client.control("DELETE", f"/users/{user['id']}")
    assert (await client.issue(key)).status == 404


async def test_keys_of_every_kind_can_be_made(client: Client):
    """Unrestricted ones and bound ones; their tokens say so."""
    for field, said in (("unrestricted", {"restricted": False}), ("access_rules", {"restricted": True})):
        made = (await client.control("POST", "/keys", f'{{"{field}": true}}')).tree
        assert made[field]
        credential = (await client.issue(client.iam.realm.keys[made["id"]])).tree["token"][
            "application_credential"
        ]
        assert credential.items() >= said.items()
        assert ("access_rules" in credential) == (field == "access_rules")


async def test_the_overview_shows_no_secret(client: Client):
    """It names everything that can be changed."""
    token = await client.token()
    tree = (await client.control("GET", "/")).tree
    assert tree["keys"][0]["id"] == client.iam.key.id
    assert tree["counters"] == {"issue": {"arrived": 1, "201": 1}}
    assert client.iam.key.secret not in str(tree)
    assert token not in str(tree)


async def test_settings_can_be_changed(client: Client):
    """Life, pages, tokens, counters."""
    assert (await client.control("PUT", "/life", "15m")).tree == {"life": 900}
    assert (await client.control("PUT", "/page-size", "2")).tree == {"page_size": 2}
    assert (await client.control("PUT", "/page-size", "0")).tree == {"page_size": None}
    token = await client.token()
    await client.control("DELETE", "/tokens")
    assert (await client.validate(token)).status == 401
    await client.control("DELETE", "/counters")
    assert (await client.control("GET", "/counters")).tree == {}


async def test_web_pages_are_refused(client: Client):
    """A page in a browser on this host must not drive the emulator."""
    reply = await client.control("DELETE", "/keys/x", headers={"Origin": "https://example.org"})
    assert reply.status == 403


async def test_faults_do_not_hit_the_control_api(client: Client):
    """Else a hang on everything could never be removed."""
    client.iam.faults.add("hang")
    assert (await client.control("DELETE", "/faults")).status == 200
