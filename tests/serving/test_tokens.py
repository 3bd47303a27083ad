"""The token and what is known of it, exactly as INTERFACE section 4 has it."""

from pathlib import Path

import pytest

from broker.core.errors import Fault
from tests.core.builders import key
from tests.serving.house import Readable, house, until

TOKEN = {
    "identity": "default",
    "token": "token-of-default",
    "issued_at": "2026-01-01T00:00:00.000000Z",
    "expires_at": "2026-01-01T12:00:00.000000Z",
    "expires_in": 43199,
    "stale": False,
    "project": {"id": "p1", "name": "shop"},
    "user": {"id": "u1", "name": "robot"},
    "roles": ["member"],
    "key_expires_at": None,
}
ROUTES = ("/v1/token", "/v1/identities", "/v1/identities/default", "/v1/identities/default/token")


@pytest.mark.parametrize("target", ["/v1/token", "/v1/identities/default/token", "/v1/token?format=json"])
async def test_the_token_answer_is_the_one_of_the_interface(tmp_path: Path, target: str):
    async with house(tmp_path, "default") as broker:
        await broker.issued()
        answer = await broker.get(target)
        assert (answer.status, answer.tree) == (200, TOKEN)
        assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
        assert answer.headers["Vary"] == "Accept"


@pytest.mark.parametrize(
    ("query", "accept", "text"),
    [
        ("", "text/plain", True),
        ("", "Text/Plain; charset=utf-8, */*;q=0.1", True),
        ("?format=text", "application/json", True),
        ("?format=json", "text/plain", False),
        ("", "*/*", False),
        ("", "application/json, text/plain", False),
    ],
)
async def test_the_text_form_is_the_bare_token(tmp_path: Path, query: str, accept: str, text: bool):
    async with house(tmp_path, "default") as broker:
        await broker.issued()
        answer = await broker.get(f"/v1/token{query}", headers={"Accept": accept})
        assert (answer.body == b"token-of-default") is text
        assert answer.headers["Content-Type"].startswith("text/plain") is text


@pytest.mark.parametrize("form", ["xml", "", "TEXT"])
async def test_a_form_that_there_is_not_is_400(tmp_path: Path, form: str):
    async with house(tmp_path, "default") as broker:
        answer = await broker.get(f"/v1/token?format={form}")
        assert (answer.status, answer.tree["code"]) == (400, "bad_request")
        assert answer.tree["detail"] == "format is text or json"
        assert broker.issuers["default"].asked == 0


@pytest.mark.parametrize("target", [*ROUTES, "/livez", "/readyz"])
async def test_head_tells_the_same_without_a_body_and_nothing_is_stored(tmp_path: Path, target: str):
    async with house(tmp_path, "default") as broker:
        await broker.issued()
        got, head = await broker.get(target), await broker.get(target, "HEAD")
        assert got.status == head.status == 200
        assert got.headers["Cache-Control"] == head.headers["Cache-Control"] == "no-store"
        assert head.headers["Content-Length"] == str(len(got.body))
        assert (head.body, got.body != b"") == (b"", True)


async def test_v1_token_chooses_the_default_else_the_only_one_else_asks(tmp_path: Path):
    policy = Readable("default", "build")
    async with house(tmp_path, "build", "default", "shop", policy=policy) as broker:
        for name in ("default", "build"):
            await broker.issued(name)
        assert (await broker.get("/v1/token")).tree["identity"] == "default"
        broker.regrant("build")
        assert (await broker.get("/v1/token")).tree["identity"] == "build"
        broker.regrant("build", "shop")
        answer = await broker.get("/v1/token")
        assert (answer.status, answer.tree["code"]) == (400, "identity_required")
        assert answer.tree["detail"] == "you may read build, shop; ask for one: /v1/identities/build/token"
        broker.regrant()
        answer = await broker.get("/v1/token")
        assert (answer.status, answer.tree["code"]) == (403, "access_denied")
        for name in ("build", "default", "shop"):
            assert name not in answer.tree["detail"]


@pytest.mark.parametrize("rest", ["", "/token"])
async def test_an_identity_that_is_not_there_and_one_that_is_not_granted_answer_alike(
    tmp_path: Path, rest: str
):
    """Byte for byte, headers too, or names could be probed; and whoever may read all learns no more."""
    policy = Readable("default", "nothing-such")
    async with house(tmp_path, "default", "hidden", policy=policy) as broker:
        answers = [
            await broker.get(f"/v1/identities/{name}{rest}") for name in ("hidden", "nothing", "nothing-such")
        ]
        assert [answer.status for answer in answers] == [403, 403, 403]
        assert len({answer.body for answer in answers}) == 1
        assert len({tuple(h for h in answer.headers.items() if h[0] != "Date") for answer in answers}) == 1
        assert broker.issuers["hidden"].asked == 0


async def test_the_list_holds_only_what_the_caller_may_see(tmp_path: Path):
    async with house(tmp_path, "a", "b", "c", policy=Readable("a", "c")) as broker:
        rows = (await broker.get("/v1/identities")).tree["identities"]
        assert [row["identity"] for row in rows] == ["a", "c"]


async def test_an_identity_tells_its_state_and_no_secret(tmp_path: Path):
    async with house(tmp_path, "default") as broker:
        answer = await broker.get("/v1/identities/default")
        empty = answer.tree
        assert (empty["state"], empty["expires_in"], empty["project"]) == ("empty", None, None)
        await broker.issued()
        answer = await broker.get("/v1/identities/default")
        held = broker.keyring["default"].lease.held
        assert held is not None
        assert answer.tree == {
            "identity": "default",
            "state": "fresh",
            "degraded": [],
            "reasons": [],
            "stale": False,
            "issued_at": TOKEN["issued_at"],
            "expires_at": TOKEN["expires_at"],
            "expires_in": 43199,
            "project": TOKEN["project"],
            "user": TOKEN["user"],
            "roles": ["member"],
            "lost_roles": [],
            "key": "default",
            "key_in_use": "primary",
            "key_expires_at": None,
            "keys": [
                {
                    "place": "primary",
                    "label": "default",
                    "standing": "good",
                    "new": False,
                    "expires_at": None,
                    "detail": None,
                    "risks": [],
                }
            ],
            "validation": {"method": None, "next": None, "last_fault": None},
            "last_fault": None,
            "next_try": answer.tree["next_try"],
            "files": [],
        }
        hours = (held.span.due_at - broker.clock.now()) / 3600
        assert 6 <= hours <= 9
        assert answer.tree["next_try"].startswith(f"2026-01-01T{int(hours + 1000 / 3600):02}:")
        secret = key("default").secret.reveal().encode()
        assert b"token-of-default" not in answer.body
        assert secret not in answer.body


async def test_a_fault_is_told_while_the_good_token_is_served_on(tmp_path: Path):
    """L2: stale, degraded, and why; the token is as good as before."""
    async with house(tmp_path, "default") as broker:
        await broker.issued()
        await broker.clock.advance(40000)
        await broker.get("/v1/token")
        await until(lambda: broker.issuers["default"].calls)
        broker.issuers["default"].fail(Fault.THROTTLED)
        await until(lambda: broker.keyring["default"].lease.trouble)
        token = (await broker.get("/v1/token")).tree
        assert (token["token"], token["stale"], token["expires_in"]) == ("token-of-default", True, 3199)
        state = (await broker.get("/v1/identities/default")).tree
        assert (state["state"], state["stale"], state["degraded"]) == ("critical", True, ["iam_throttled"])
        assert state["last_fault"] == {
            "fault": "throttled",
            "code": "iam_throttled",
            "detail": "it is throttled",
            "since": "2026-01-01T11:23:20Z",
            "count": 1,
        }
