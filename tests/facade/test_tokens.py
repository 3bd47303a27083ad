"""Tokens over Keystone's API: who gets one, by what, and how it looks."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from broker.core.access import Workload
from tests.facade.front import CALLER, PLACEHOLDER, TOKEN, credential, fault, front
from tests.serving.house import until

BODY = b'{"token": {"catalog": [{"type": "identity", "endpoints": []}]}}'


@pytest.mark.parametrize("prefix", ["/identity/v3", "/v3"])
@pytest.mark.parametrize(
    "given",
    [
        {"id": "default", "secret": PLACEHOLDER},
        {"name": "default", "secret": PLACEHOLDER, "user": {"id": "anybody"}},
        {"name": "default", "secret": PLACEHOLDER, "user": {"name": "a", "domain": {"id": "default"}}},
    ],
    ids=["by id", "by name and user", "by name, user and domain"],
)
async def test_an_application_credential_gets_the_token_as_iam_gave_it(
    tmp_path: Path, prefix: str, given: dict[str, object]
):
    async with front(tmp_path, "default") as facade:
        answer = await facade.post(credential(given), f"{prefix}/auth/tokens")
        assert (answer.status, answer.body) == (201, BODY)
        assert answer.headers["x-subject-token"] == TOKEN
        assert answer.headers["Content-Type"].startswith("application/json")
        assert facade.house.books.tokens == [("default", facade.door.label)]
        [(caller, identity, _, _, _)] = facade.house.audit.hand_outs
        assert (caller, identity) == (CALLER, "default")


async def test_the_header_is_in_lower_case_on_the_wire(tmp_path: Path):
    """The official lab scripts look for it with grep."""
    async with front(tmp_path, "default") as facade:
        body = json.dumps(credential({"id": "default", "secret": PLACEHOLDER})).encode()
        head = "POST /v3/auth/tokens HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        raw = f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
        assert f"\r\nx-subject-token: {TOKEN}\r\n".encode() in await facade.door.raw(raw)


async def test_nocatalog_leaves_the_catalog_out(tmp_path: Path):
    async with front(tmp_path, "default") as facade:
        asked = credential({"id": "default", "secret": PLACEHOLDER})
        assert (await facade.post(asked, "/v3/auth/tokens?nocatalog")).tree == {"token": {}}


@pytest.mark.parametrize(
    ("scope", "status"),
    [
        ({"project": {"id": "p1"}}, 201),
        ({"project": {"name": "shop", "domain": {"id": "default"}}}, 201),
        ({"project": {"id": "p1", "name": "shop"}}, 201),
        (None, 201),
        ({"project": {"id": "p2"}}, 401),
        ({"project": {"id": "p1", "name": "another"}}, 401),
        ({"project": {}}, 401),
        ({"domain": {"id": "default"}}, 401),
        ({"system": {"all": True}}, 401),
        ("unscoped", 401),
    ],
)
async def test_only_the_tokens_own_project_is_a_scope(tmp_path: Path, scope: object, status: int):
    async with front(tmp_path, "default") as facade:
        asked = {"auth": {**credential({"id": "default", "secret": "x"})["auth"], "scope": scope}}
        assert (await facade.post(asked)).status == status
        by_token = {"auth": {"identity": {"methods": ["token"], "token": {"id": TOKEN}}, "scope": scope}}
        assert (await facade.post(by_token)).status == status


async def test_a_token_that_was_handed_out_gets_the_one_of_now(tmp_path: Path):
    async with front(tmp_path, "default") as facade:
        await facade.house.clock.advance(30_000)
        await facade.house.issued(token="the-next-one")
        answer = await facade.with_token(TOKEN)
        assert (answer.status, answer.headers["x-subject-token"]) == (201, "the-next-one")
        assert fault(await facade.with_token("gAAAAABmade-up")) == (401, "Unauthorized")
        assert fault(await facade.with_token("\ud800")) == (401, "Unauthorized")
        await facade.house.clock.advance(13_200)  # the first one has ended
        assert fault(await facade.with_token(TOKEN)) == (401, "Unauthorized")


async def test_a_token_of_an_identity_that_is_not_granted_is_like_none(tmp_path: Path):
    async with front(tmp_path, "default", "other", may=("default",)) as facade:
        refused = [await facade.with_token("token-of-other"), await facade.with_token("made-up")]
        assert refused[0].body == refused[1].body
        assert fault(refused[0]) == (401, "Unauthorized")


async def test_permission_comes_before_the_secret_and_before_the_name(tmp_path: Path):
    """Who has no grant learns neither whether there is such an identity nor whether the secret was right."""
    async with front(tmp_path, "default", "other", may=("default",), secrets={"other": "s"}) as facade:
        answers = [await facade.login(*each) for each in (("other", "s"), ("other", "x"), ("nobody", "s"))]
        assert {answer.body for answer in answers} == {answers[0].body}
        assert fault(answers[0]) == (403, "Forbidden")
        assert "needs a grant" in answers[0].tree["error"]["message"]
        assert set(facade.house.books.refusals) == {"access_denied"}


async def test_the_client_secret_is_asked_for_where_there_is_one(tmp_path: Path):
    async with front(tmp_path, "default", "other", secrets={"default": "the secret"}) as facade:
        assert (await facade.login(secret="the secret")).status == 201
        for wrong in ("the secre", "the secret ", "", PLACEHOLDER, "\ud800"):
            answer = await facade.login(secret=wrong)
            assert fault(answer) == (401, "Unauthorized")
            assert answer.headers["WWW-Authenticate"].startswith("Keystone")
        assert (await facade.login("other", PLACEHOLDER)).status == 201
        assert fault(await facade.login("other", "")) == (401, "Unauthorized")
        assert "client secret" in {by for *_, by in facade.house.audit.refusals}


async def test_the_audit_names_the_identity_that_was_asked_for_and_no_word_of_a_stranger(tmp_path: Path):
    async with front(tmp_path, "default", "other", may=("default",), secrets={"default": "s"}) as facade:
        for name in ("default", "other", "a stranger's word"):
            await facade.login(name, "wrong")
        told = [(identity, reason, by) for _, _, identity, reason, by in facade.house.audit.refusals]
        assert told == [
            ("default", "unauthorized", "client secret"),
            ("other", "access_denied", "a list of the test"),
            (None, "access_denied", "a list of the test"),
        ]


async def test_another_project_is_refused_before_iam_is_asked(tmp_path: Path):
    """A client that is set up wrongly asks again and again."""
    async with front(tmp_path, "default") as facade:
        assert (await facade.login()).status == 201
        begun = len(facade.house.issuers["default"].validated)
        assert fault(await facade.login(scope={"project": {"id": "p2"}})) == (401, "Unauthorized")
        assert len(facade.house.issuers["default"].validated) == begun


@pytest.mark.parametrize("meanwhile", ["the grant goes", "nothing happens", "another project is asked for"])
async def test_who_waits_for_a_token_is_judged_again_when_it_has_come(tmp_path: Path, meanwhile: str):
    async with front(tmp_path, "default") as facade:
        await facade.house.clock.advance(43_200)
        more: dict[str, Any] = (
            {"scope": {"project": {"id": "p2"}}} if meanwhile == "another project is asked for" else {}
        )
        asking = asyncio.create_task(facade.login(**more))
        await until(lambda: facade.house.issuers["default"].calls)
        if meanwhile == "the grant goes":
            facade.house.regrant()
        facade.house.issuers["default"].grant("the new one")
        answer = await asking
        expected = {"the grant goes": 403, "nothing happens": 201}
        assert answer.status == expected.get(meanwhile, 401)
        assert len(facade.house.audit.hand_outs) == (answer.status == 201)


async def test_whom_the_kernel_does_not_prove_gets_nothing(tmp_path: Path):
    async with front(tmp_path, "default") as facade:
        facade.calls(None)
        assert fault(await facade.login()) == (403, "Forbidden")
        assert fault(await facade.with_token(TOKEN)) == (403, "Forbidden")
        assert fault(await facade.ask("GET", "/v3/projects", f"X-Auth-Token: {TOKEN}")) == (403, "Forbidden")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b"[" * 10_000,
        b'{"auth": []}',
        b'{"auth": {"identity": {}}}',
        b'{"auth": {"identity": {"methods": ["application_credential"]}}}',
        b'{"auth": {"identity": {"methods": ["application_credential"], "application_credential": {"id": 1}}}}',
        b'{"auth": {"identity": {"methods": ["application_credential"], "application_credential": {"id": "default"}}}}',
        b'{"auth": {"identity": {"methods": ["token"], "token": {}}}}',
    ],
)
async def test_a_body_that_is_no_claim_is_told_in_a_sentence(tmp_path: Path, body: bytes):
    async with front(tmp_path, "default") as facade:
        answer = await facade.ask("POST", "/v3/auth/tokens", "Content-Type: application/json", body=body)
        assert fault(answer) == (400, "Bad Request")
        assert "application_credential" in answer.tree["error"]["message"]


async def test_other_methods_and_other_kinds_of_body_are_refused(tmp_path: Path):
    async with front(tmp_path, "default") as facade:
        password = {"auth": {"identity": {"methods": ["password"], "password": {"user": {"id": "x"}}}}}
        assert fault(await facade.post(password)) == (401, "Unauthorized")
        two = {"auth": {"identity": {"methods": ["token", "totp"], "token": {"id": TOKEN}}}}
        assert fault(await facade.post(two)) == (401, "Unauthorized")
        body = json.dumps(credential({"id": "default", "secret": "x"})).encode()
        for kind in ("text/plain", "application/x-www-form-urlencoded"):
            answer = await facade.ask("POST", "/v3/auth/tokens", f"Content-Type: {kind}", body=body)
            assert fault(answer) == (400, "Bad Request")
        assert (await facade.ask("POST", "/v3/auth/tokens", body=body)).status == 201


async def test_no_token_is_a_503_with_the_reason(tmp_path: Path):
    async with front(tmp_path, "default") as facade:
        await facade.house.clock.advance(43_200)
        asking = asyncio.create_task(facade.login())
        while not asking.done():  # IAM says nothing
            await facade.house.clock.advance(1.0)
            await asyncio.sleep(0.001)
        asked = await asking
        assert fault(asked) == (503, "Service Unavailable")
        assert TOKEN.encode() not in asked.body


async def test_another_caller_is_none_the_wiser(tmp_path: Path):
    """The doorway proves each connection anew."""
    async with front(tmp_path, "default") as facade:
        facade.calls(Workload(uid=0, gid=None, pid=None, listener="over TCP"))
        assert (await facade.login()).status == 201
        assert facade.house.audit.hand_outs[0][0].uid == 0
