"""What IAM lists, through HTTP: the catalog of the token and the projects of its user."""

from dataclasses import replace
from pathlib import Path

import pytest

from broker.core.errors import Fault
from tests.core.builders import reply
from tests.serving.house import house, until

PROJECTS = "/v1/identities/default/projects"
CATALOG = "/v1/identities/default/catalog"


async def test_the_catalog_is_as_keystone_gave_it_with_the_token(tmp_path: Path):
    async with house(tmp_path, "default") as broker:
        await broker.issued()
        answer = await broker.get(CATALOG)
        assert (answer.status, answer.tree) == (200, {"catalog": [{"type": "identity", "endpoints": []}]})
        assert answer.headers["Cache-Control"] == "no-store"
        assert (broker.issuers["default"].asked, broker.issuers["default"].listed) == (1, 0)


async def test_a_token_that_came_without_a_catalog_has_none(tmp_path: Path):
    async with house(tmp_path, "default") as broker:
        broker.keyring["default"].observe()
        await until(lambda: broker.issuers["default"].calls)
        given = reply(sent_at=broker.clock.now())
        bare = replace(given, token=replace(given.token, body=b'{"token": {}}'))
        broker.issuers["default"].calls.pop(0)[2].set_result(bare)
        await until(lambda: broker.keyring["default"].lease.held)
        answer = await broker.get(CATALOG)
        assert (answer.status, answer.tree["code"]) == (404, "not_found")
        assert answer.tree["detail"] == "IAM gave no catalog with this token"


async def test_the_projects_are_listed_once_a_minute(tmp_path: Path):
    async with house(tmp_path, "default") as broker:
        await broker.issued()
        for _ in range(3):
            answer = await broker.get(PROJECTS)
            assert (answer.status, answer.tree) == (200, {"projects": [{"id": "p1", "name": "shop"}]})
            assert answer.headers["Cache-Control"] == "no-store"
        assert broker.issuers["default"].listed == 1
        await broker.clock.advance(60)
        assert (await broker.get(PROJECTS)).status == 200
        assert broker.issuers["default"].listed == 2


@pytest.mark.parametrize("target", [PROJECTS, CATALOG])
async def test_without_a_token_the_reason_is_told(tmp_path: Path, target: str):
    async with house(tmp_path, "default") as broker:
        request = broker.ask(target, prefer="wait=5")
        await until(lambda: broker.clock.waiting)
        broker.issuers["default"].fail(Fault.THROTTLED, retry_after=60.0)
        answer = await request
        assert (answer.status, answer.tree["code"]) == (503, "iam_throttled")
        assert broker.issuers["default"].listed == 0


async def test_a_list_that_hangs_delays_no_token_and_ends_with_its_callers_time(tmp_path: Path):
    async with house(tmp_path, "default") as broker:
        await broker.issued(life=1000)
        broker.issuers["default"].hold_lists = True
        request = broker.ask(PROJECTS, prefer="wait=2")
        await until(lambda: broker.issuers["default"].lists)
        await broker.clock.advance(1)
        assert (await broker.get("/v1/token")).status == 200
        assert (await broker.get(CATALOG)).status == 200
        assert not request.done()
        await broker.clock.advance(1.1)
        answer = await request
        assert (answer.status, answer.tree["code"]) == (503, "iam_unavailable")
        # The next token comes although the list still hangs.
        await broker.clock.advance(800)
        await broker.issued(token="next")
        assert (await broker.get("/v1/token")).tree["token"] == "next"


async def test_a_failed_list_says_why_and_when_and_makes_nothing_unready(tmp_path: Path):
    async with house(tmp_path, "default") as broker:
        await broker.issued()
        broker.issuers["default"].hold_lists = True
        request = broker.ask(PROJECTS)
        await until(lambda: broker.issuers["default"].lists)
        broker.issuers["default"].fail_list(Fault.THROTTLED)
        answer = await request
        assert (answer.status, answer.tree["code"], answer.tree["detail"]) == (
            503,
            "iam_throttled",
            "it is throttled",
        )
        assert answer.tree["retry_after"] == 10
        assert answer.headers["Retry-After"] == "10"
        ready = await broker.get("/readyz")
        assert (ready.status, ready.tree["identities"]["default"]["degraded"]) == (200, [])
