"""Loopback TCP over real sockets: what comes without meaning us is refused by the first gate that it meets."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from broker.core.access import Workload
from broker.serving.doorway import Serve
from broker.serving.gates import loopback_gates
from tests.callers.loopback import skip_without
from tests.serving.house import Answer, House, TcpDoor, house, tcp_door

METADATA = "Metadata: true"
GATES = loopback_gates(frozenset({"broker.internal"}))
PROVEN = Workload(uid=1234, gid=None, pid=None, listener="over TCP")
OPEN = ("/livez", "/readyz", "/readyz/default", "/metrics", "/openapi.json")


@asynccontextmanager
async def doors(folder: Path, host: str = "127.0.0.1") -> AsyncIterator[tuple[House, TcpDoor]]:
    skip_without(host)
    async with house(folder, "default") as broker:
        await broker.issued()
        async with tcp_door(broker, host, GATES, lambda _: PROVEN) as door:
            yield broker, door


def refused(answer: Answer, code: str) -> None:
    assert (answer.status, answer.tree["code"]) == (403, code)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert b"token-of-default" not in answer.body


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_who_means_us_gets_the_token_on_either_loopback(tmp_path: Path, host: str):
    async with doors(tmp_path, host) as (broker, door):
        answer = await door.ask("/v1/token", METADATA, host=door.label)
        assert (answer.status, answer.tree["token"]) == (200, "token-of-default")
        assert broker.books.tokens == [("default", door.label)]
        refused(await door.ask("/v1/token", host=door.label), "metadata_header_missing")


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LocalHost",
        "localhost.",
        "localhost:8471",
        "127.0.0.1",
        "127.0.0.1:80",
        "127.9.9.9",
        "[::1]",
        "[::1]:8471",
        "broker.internal",
        "Broker.Internal.:8471",
    ],
)
async def test_the_names_of_loopback_and_those_that_are_allowed_are_hosts(tmp_path: Path, host: str):
    async with doors(tmp_path) as (_, door):
        assert (await door.ask("/v1/token", METADATA, host=host)).status == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "EVIL.example:8471",
        "localhost.evil.example",
        "evil.example.",
        "evil.example#localhost",
        "localhost@evil.example",
        "localhost:8471:80",
        "localhost, evil.example",
        "localhost..",
        "localhost:",
        "127.0.0.1.evil.example",
        "128.0.0.1",
        "127.0.0.1x",
        "127.0.0.\u0661",  # a digit, but of another script
        "10.0.0.1",
        "169.254.169.254",
        "0.0.0.0",  # noqa: S104  (a name that a request uses, nothing is bound)
        "2130706433",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[fe80::1]:80",
        "::1",
        "xbroker.internal",
        "sub.broker.internal",
        "",
    ],
)
async def test_any_other_host_is_refused_whatever_else_is_right(tmp_path: Path, host: str):
    """A page whose name was made to resolve to us sends that name."""
    async with doors(tmp_path) as (_, door):
        refused(await door.ask("/v1/token", METADATA, host=host), "host_not_allowed")


@pytest.mark.parametrize(
    "line",
    [
        "Origin: https://evil.example",
        "Origin: null",
        "Origin: http://localhost",
        "Origin:",
        "Sec-Fetch-Site: cross-site",
        "Sec-Fetch-Site: Cross-Site",
        "Sec-Fetch-Site: same-site",
        "Sec-Fetch-Site: same-origin",  # no page is ours: it was served by who had our port before
        "Sec-Fetch-Site: something-new",
        "Sec-Fetch-Site: none\r\nSec-Fetch-Site: cross-site",
    ],
)
async def test_what_a_page_made_a_browser_send_is_refused(tmp_path: Path, line: str):
    async with doors(tmp_path) as (_, door):
        refused(await door.ask("/v1/token", METADATA, line), "browser_request")
        for target in OPEN:
            refused(await door.ask(target, line), "browser_request")


@pytest.mark.parametrize("site", ["none", "None"])
async def test_what_no_page_began_passes(tmp_path: Path, site: str):
    """What a person typed; programs built on a browser's engine send it too."""
    async with doors(tmp_path) as (_, door):
        assert (await door.ask("/v1/token", METADATA, f"Sec-Fetch-Site: {site}")).status == 200


@pytest.mark.parametrize(
    "line",
    [
        "Forwarded: for=192.0.2.1",
        "forwarded:",
        "Via: 1.1 proxy",
        "X-Real-IP: 192.0.2.1",
        "X-Forwarded-For: 192.0.2.1",
        "x-forwarded-host: localhost",
        "X-Forwarded-Proto: https",
        "X-Forwarded-Something-New: 1",
    ],
)
async def test_what_a_proxy_passed_on_is_refused(tmp_path: Path, line: str):
    async with doors(tmp_path) as (_, door):
        refused(await door.ask("/v1/token", METADATA, line), "forwarded_request")


@pytest.mark.parametrize(
    "line",
    ["X: 1", "Metadata: false", "Metadata:", "Metadata: true, true", "Metadata-X: true", "Metadata: 1"],
)
async def test_without_the_header_there_is_no_token(tmp_path: Path, line: str):
    async with doors(tmp_path) as (broker, door):
        for target in ("/v1/token", "/v1/identities", "/v1/identities/nothing/token", "/v1/nothing"):
            refused(await door.ask(target, line), "metadata_header_missing")
        refused(await door.ask("/v1/token", METADATA, METADATA), "metadata_header_missing")
        assert broker.books.tokens == []


async def test_the_header_is_read_as_clients_write_it(tmp_path: Path):
    async with doors(tmp_path) as (_, door):
        for line in ("metadata: true", "METADATA:  True ", "Metadata:true"):
            assert (await door.ask("/v1/token", line)).status == 200


async def test_probes_and_scrapers_need_no_header_of_ours_but_pass_the_other_gates(tmp_path: Path):
    async with doors(tmp_path) as (_, door):
        for target in OPEN:
            assert (await door.ask(target)).status == 200
            refused(await door.ask(target, host="evil.example"), "host_not_allowed")


async def test_on_the_unix_socket_any_one_name_will_do_and_no_header_of_ours_is_asked_for(tmp_path: Path):
    """Any Host will do there, as curl sends it; a browser cannot come by itself, and a proxy that lets one in is found out."""
    async with house(tmp_path, "default") as broker:
        await broker.issued()
        for name in ("evil.example", "b", "localhost:1", "[::1]"):
            assert (await broker.get("/v1/token", headers={"Host": name})).status == 200
        refused(await broker.get("/v1/token", headers={"Origin": "null"}), "browser_request")
        refused(await broker.get("/v1/token", headers={"Sec-Fetch-Site": "cross-site"}), "browser_request")
        for line in ("Via", "Forwarded", "X-Forwarded-For", "x-real-ip"):
            refused(await broker.get("/v1/token", headers={line: "x"}), "forwarded_request")


async def test_a_door_for_health_alone_has_no_way_to_a_token_whatever_is_sent(tmp_path: Path):
    serve = frozenset({Serve.HEALTH, Serve.METRICS})
    async with house(tmp_path, "default") as broker:
        await broker.issued()
        async with tcp_door(broker, "127.0.0.1", (), lambda _: PROVEN, serve) as door:
            for target in (
                "/v1/token",
                "/v1/identities",
                "/v1/identities/default",
                "/v1/identities/default/token",
                "/v1/identities/default/keystone",
                "/v1/identities/default/catalog",
                "/v1/identities/default/projects",
                "/v1/identities/default/rejections",
                "/openapi.json",
            ):
                for lines in ((), (METADATA,), ("Authorization: x", METADATA)):
                    answer = await door.ask(target, *lines)
                    assert (answer.status, answer.tree["code"]) == (404, "not_found")
            for target in ("/livez", "/readyz", "/readyz/default", "/metrics"):
                assert (await door.ask(target, host="node.example:9100")).status == 200
        assert broker.books.tokens == []
