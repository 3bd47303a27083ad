"""What is counted and written down of requests: bounded names, each answer once, each refusal once."""

from pathlib import Path

import pytest

from broker.core.access import Owner, Policy, Workload
from broker.serving.application import ROUTES
from broker.serving.gates import loopback_gates
from tests.serving.house import SOCKET, Readable, house, tcp_door

CALLER = Workload(uid=1234, gid=1, pid=2, listener=SOCKET)
PATTERNS = {path for routes in ROUTES.values() for _, path, _ in routes} | {"other"}


async def test_every_answer_is_counted_once_under_its_routes_pattern(tmp_path: Path):
    async with house(tmp_path, "default") as broker:
        await broker.issued()
        asked = [
            ("/v1/token", "/v1/token", 200),
            ("/v1/token?format=xml", "/v1/token", 400),
            ("/v1/token?min_ttl=600000", "/v1/token", 503),
            ("/v1/identities", "/v1/identities", 200),
            ("/v1/identities/default", "/v1/identities/{name}", 200),
            ("/v1/identities/secret-guess", "/v1/identities/{name}", 403),
            ("/v1/identities/default/token", "/v1/identities/{name}/token", 200),
            ("/v1/identities/default/keystone", "/v1/identities/{name}/keystone", 200),
            ("/v1/identities/default/catalog", "/v1/identities/{name}/catalog", 200),
            ("/v1/identities/default/projects", "/v1/identities/{name}/projects", 200),
            ("/v1/identities/default/s3-credentials", "/v1/identities/{name}/s3-credentials", 200),
            ("/v1/facade", "/v1/facade", 404),
            ("/v1/identities/default/facade", "/v1/identities/{name}/facade", 404),
            ("/livez", "/livez", 200),
            ("/readyz", "/readyz", 200),
            ("/readyz/default", "/readyz/{name}", 200),
            ("/readyz/nothing", "/readyz/{name}", 404),
            ("/metrics", "/metrics", 200),
            ("/openapi.json", "/openapi.json", 200),
            ("/a/path/of/a/stranger", "other", 404),
        ]
        for target, _, status in asked:
            assert (await broker.get(target)).status == status, target
        assert (await broker.reject("another token")).status == 200
        assert (await broker.get("/livez", "DELETE")).status == 405
        asked += [("", "/v1/identities/{name}/rejections", 200), ("", "other", 405)]
        expected = [(SOCKET, route, status) for _, route, status in asked]
        assert broker.books.requests == expected
        assert {route for _, route, _ in broker.books.requests} == PATTERNS


@pytest.mark.parametrize(
    ("target", "method", "reason", "route"),
    [
        ("/v1/identities/other/token", "GET", "access_denied", "/v1/identities/{name}/token"),
        ("/v1/token?format=xml", "GET", "bad_request", "/v1/token"),
        ("/nothing", "GET", "not_found", "other"),
        ("/readyz/nothing", "GET", "not_found", "/readyz/{name}"),
        ("/livez", "POST", "method_not_allowed", "other"),
    ],
)
async def test_who_is_turned_away_is_counted_and_told_once(
    tmp_path: Path, target: str, method: str, reason: str, route: str
):
    async with house(tmp_path, "default", prove=lambda _: CALLER) as broker:
        await broker.get(target, method)
        assert broker.books.refusals == [reason]
        assert broker.books.told == [(reason, 1234, SOCKET, route, broker.clock.now())]


async def test_each_403_is_told_by_its_door_with_the_uid_that_the_kernel_proved(tmp_path: Path):
    async with house(tmp_path, "default", policy=Policy(Owner(1, in_container=False))) as broker:
        gates = loopback_gates(frozenset())
        async with tcp_door(broker, "127.0.0.1", gates, lambda _: CALLER) as door:
            for lines in ((), ("Origin: null",), ("Via: x",), ("Metadata: true",)):
                assert (await door.ask("/v1/identities/x/token", *lines)).status == 403
        codes = ["metadata_header_missing", "browser_request", "forwarded_request", "access_denied"]
        assert broker.books.refusals == codes
        route, now = "/v1/identities/{name}/token", broker.clock.now()
        assert broker.books.told == [(code, 1234, door.label, route, now) for code in codes]


async def test_no_token_yet_is_iams_trouble_and_no_refusal(tmp_path: Path):
    async with house(tmp_path, "default") as broker:
        assert (await broker.get("/v1/token", headers={"Prefer": "wait=0"})).status == 503
        assert (broker.books.refusals, broker.books.told) == ([], [])


async def test_tokens_that_leave_are_counted_by_identity_and_door(tmp_path: Path):
    async with house(tmp_path, "default", "other", policy=Readable("default", "other")) as broker:
        for name in ("default", "other"):
            await broker.issued(name)
        await broker.get("/v1/token")
        await broker.get("/v1/identities/other/token", headers={"Accept": "text/plain"})
        await broker.get("/v1/token", "HEAD")
        assert broker.books.tokens == [("default", SOCKET), ("other", SOCKET)]
        await broker.reject("another token", "other")
        assert broker.books.tokens[2:] == [("other", SOCKET)]


async def test_metrics_are_what_the_meter_tells_for_the_accept_of_the_scraper(tmp_path: Path):
    async with house(tmp_path, "default") as broker:
        answer = await broker.get("/metrics", headers={"Accept": "application/openmetrics-text"})
        assert answer.body == b"asked for application/openmetrics-text"
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4"
        assert answer.headers["Cache-Control"] == "no-store"
