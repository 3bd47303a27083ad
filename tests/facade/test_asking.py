"""What a client of Keystone asks beside tokens: versions, its token, lists; what is passed on, and how all of it says no."""

import asyncio
from pathlib import Path

import pytest

from broker.core.errors import Fault, IamError
from broker.core.model import Passed
from broker.facade import tokens
from broker.keeper import relay
from tests.facade.front import PLACEHOLDER, TOKEN, Front, credential, fault, front
from tests.serving.house import WAYS, Answer, until

AUTH = f"X-Auth-Token: {TOKEN}"
SUBJECT = f"X-Subject-Token: {TOKEN}"


@pytest.mark.parametrize("slash", ["", "/"])
async def test_clients_find_their_way_from_either_address(tmp_path: Path, slash: str):
    async with front(tmp_path, "default") as facade:
        answer = await facade.ask("GET", f"/identity{slash}")
        assert answer.status == 300  # as Keystone has it
        [shown] = answer.tree["versions"]["values"]
        assert shown["links"] == [{"rel": "self", "href": "http://127.0.0.1:9780/identity/v3/"}]
        for prefix in ("/identity/v3", "/v3"):
            answer = await facade.ask("GET", prefix + slash)
            version = answer.tree["version"]
            assert (answer.status, version["id"][:2], version["status"]) == (200, "v3", "stable")
            assert version["links"][0]["href"] == f"http://127.0.0.1:9780{prefix}/"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_token_that_was_handed_out_is_shown(tmp_path: Path, method: str):
    async with front(tmp_path, "default") as facade:
        answer = await facade.ask(method, "/v3/auth/tokens", AUTH, SUBJECT)
        assert (answer.status, answer.headers["x-subject-token"]) == (200, TOKEN)
        assert bool(answer.body) == (method == "GET")
        assert facade.house.issuers["default"].validated == [TOKEN]  # IAM is not asked for it


async def test_a_strangers_token_is_none(tmp_path: Path):
    async with front(tmp_path, "default", "other", may=("default",)) as facade:
        for other in ("token-of-other", "made-up", "", "\udcff"):
            assert fault(await facade.ask("GET", "/v3/auth/tokens", AUTH, f"X-Subject-Token: {other}")) == (
                404,
                "Not Found",
            )
            for target in (
                "/v3/auth/tokens",
                "/v3/auth/catalog",
                "/v3/auth/projects",
                "/v3/users/u1/projects",
            ):
                answer = await facade.ask("GET", target, f"X-Auth-Token: {other}", SUBJECT)
                assert fault(answer) == (401, "Unauthorized")
        assert facade.house.issuers["other"].passed == []
        assert fault(await facade.ask("GET", "/v3/auth/projects")) == (401, "Unauthorized")


async def test_to_delete_a_token_revokes_nothing(tmp_path: Path):
    async with front(tmp_path, "default") as facade:
        answer = await facade.ask("DELETE", "/v3/auth/tokens", AUTH, SUBJECT)
        assert (answer.status, answer.body) == (204, b"")
        assert facade.house.issuers["default"].passed == []
        assert (await facade.ask("GET", "/v3/auth/tokens", AUTH, SUBJECT)).status == 200
        assert fault(await facade.ask("DELETE", "/v3/auth/tokens", AUTH, "X-Subject-Token: x"))[0] == 404


async def test_catalog_and_projects_come_as_keystone_lists_them(tmp_path: Path):
    async with front(tmp_path, "default") as facade:
        answer = await facade.ask("GET", "/v3/auth/catalog", AUTH)
        assert answer.tree["catalog"] == [{"type": "identity", "endpoints": []}]
        answer = await facade.ask("GET", "/identity/v3/auth/projects", AUTH)
        assert answer.tree["projects"] == [{"id": "p1", "name": "shop"}]
        assert answer.tree["links"] == {
            "next": None,
            "previous": None,
            "self": "http://127.0.0.1:9780/identity/v3/auth/projects",
        }


@pytest.mark.parametrize("prefix", ["/identity/v3", "/v3"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_what_else_is_asked_is_passed_on_and_its_answer_back(tmp_path: Path, prefix: str, method: str):
    async with front(tmp_path, "default") as facade:
        iam = facade.house.issuers["default"]
        iam.answer = Passed(403, "application/json", "7", b'{"error": {"code": 403}}')
        answer = await facade.ask(
            method, f"{prefix}/users/u1/projects?enabled=1&name=a%20b", AUTH, "Cookie: x=y"
        )
        assert iam.passed == [(method, "/users/u1/projects?enabled=1&name=a%20b", TOKEN)]
        assert (answer.status, answer.headers["Retry-After"]) == (403, "7")
        assert answer.body == (iam.answer.body if method == "GET" else b"")


@pytest.mark.parametrize(
    ("trouble", "status"),
    [
        (IamError(Fault.UNAVAILABLE, "away"), 503),
        (IamError(Fault.THROTTLED, "slowly", 3.0), 503),
        (IamError(Fault.REJECTED, "no"), 503),
    ],
)
async def test_where_iam_gives_no_answer_it_is_a_503(tmp_path: Path, trouble: IamError, status: int):
    async with front(tmp_path, "default") as facade:
        facade.house.issuers["default"].answer = trouble
        assert fault(await facade.ask("GET", "/v3/projects", AUTH))[0] == status


async def test_only_so_many_are_passed_on_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    async with front(tmp_path, "default") as facade:
        monkeypatch.setattr(relay, "MOST_WAITING", 0)
        answer = await facade.ask("GET", "/v3/projects", AUTH)
        assert fault(answer) == (503, "Service Unavailable")
        assert answer.headers["Retry-After"] == "1"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_nothing_is_changed_at_iam_by_way_of_the_broker(tmp_path: Path, method: str):
    async with front(tmp_path, "default") as facade:
        answer = await facade.ask(method, "/v3/users/u1/application_credentials", AUTH, body=b"{}")
        assert fault(answer) == (405, "Method Not Allowed")
        assert answer.headers["Allow"] == "GET,HEAD"
        assert facade.house.issuers["default"].passed == []


@pytest.mark.parametrize("target", ["/identity/v2.0/tokens", "/identity/nothing"])
async def test_unknown_paths_are_told_in_keystones_words(tmp_path: Path, target: str):
    async with front(tmp_path, "default") as facade:
        for method in ("GET", "POST"):
            assert fault(await facade.ask(method, target, AUTH)) == (404, "Not Found")
        ours = await facade.ask("GET", "/identityx", "Metadata: true")
        assert ours.tree["code"] == "not_found"


@pytest.mark.parametrize(
    ("line", "target", "status"),
    [
        ("Origin: http://127.0.0.1:9780", "/v3/auth/tokens", 403),
        ("Sec-Fetch-Site: cross-site", "/v3/auth/tokens", 403),
        ("X-Forwarded-For: 10.0.0.1", "/v3/auth/tokens", 403),
        ("Via: 1.1 proxy", "/v3/auth/tokens", 403),
        ("X-Fine: yes", "/v3/users/../auth/tokens", 400),
        ("X-Fine: yes", "/v3/users/%2e%2e/auth", 400),
        ("X-Fine: yes", "//v3/auth/tokens", 400),
    ],
)
async def test_every_other_gate_stands_before_the_facade_too(
    tmp_path: Path, line: str, target: str, status: int
):
    async with front(tmp_path, "default") as facade:
        assert (await facade.ask("GET", target, AUTH, SUBJECT, line)).status == status
        assert facade.house.issuers["default"].passed == []


async def test_a_rebound_name_is_refused(tmp_path: Path):
    async with front(tmp_path, "default") as facade:
        answer = await facade.door.ask("/v3/auth/tokens", AUTH, SUBJECT, host="evil.example")
        assert fault(answer) == (403, "Forbidden")


async def test_the_header_of_ours_is_still_asked_for_beside_the_facade(tmp_path: Path):
    async with front(tmp_path, "default") as facade:
        assert (await facade.ask("GET", "/v1/token")).tree["code"] == "metadata_header_missing"
        assert (await facade.ask("GET", "/v3x/auth/tokens")).tree["code"] == "metadata_header_missing"


async def test_a_slash_at_the_end_is_none(tmp_path: Path):
    """As at Keystone; what looks like another path would be passed on, or could not be asked for by POST."""
    async with front(tmp_path, "default") as facade:
        asked = credential({"id": "default", "secret": PLACEHOLDER})
        assert (await facade.post(asked, "/v3/auth/tokens/")).status == 201
        for path in ("/v3/auth/tokens/", "/identity/v3/auth/catalog/", "/v3/auth/projects/"):
            assert (await facade.ask("GET", path, AUTH, SUBJECT)).status == 200
        assert (await facade.ask("DELETE", "/v3/auth/tokens/", AUTH, SUBJECT)).status == 204
        assert facade.house.issuers["default"].passed == []


async def test_the_express_lane_remembers_nothing_of_it(tmp_path: Path):
    """Who asks by the same bytes later may ask because it was refused."""
    async with front(tmp_path, "default") as facade:
        allowed = facade.house.desk.allowed
        for _ in range(2):
            for path in ("/identity", "/v3", "/v3/auth/tokens", "/v3/auth/catalog", "/v3/users"):
                await facade.ask("GET", path, AUTH, SUBJECT)
            await facade.login()
        assert len(allowed._all) == 0
        await facade.ask("GET", "/v1/token", "Metadata: true")
        assert len(allowed._all) == WAYS.lane


async def test_a_listener_without_the_facade_has_none(tmp_path: Path):
    async with front(tmp_path, "default") as facade:
        answer = await facade.house.get("/v3/auth/tokens", headers={"X-Auth-Token": TOKEN})
        assert (answer.status, answer.tree["code"]) == (404, "not_found")


async def test_a_token_that_lives_minutes_is_replaced_before_it_is_given(tmp_path: Path):
    """Clients come back at each call for one that has less."""
    async with front(tmp_path, "default") as facade:
        house = facade.house
        await house.clock.advance(43_200 - 200)
        asking = _asked(facade)
        await until(lambda: house.issuers["default"].calls)
        house.issuers["default"].grant("a longer one")
        answer = await asking
        assert answer.headers["x-subject-token"] == "a longer one"


async def test_what_iam_does_not_renew_is_given_as_it_is(tmp_path: Path):
    async with front(tmp_path, "default") as facade:
        house = facade.house
        await house.clock.advance(43_200 - 200)
        asking = _asked(facade)
        await until(lambda: house.issuers["default"].calls)
        house.issuers["default"].fail()
        await house.clock.advance(tokens.LONGER)
        answer = await asking
        assert (answer.status, answer.headers["x-subject-token"]) == (201, TOKEN)


def _asked(facade: Front) -> asyncio.Task[Answer]:
    return asyncio.create_task(facade.post(credential({"id": "default", "secret": PLACEHOLDER})))
