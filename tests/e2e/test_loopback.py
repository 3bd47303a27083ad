"""Loopback TCP, asked by four clients: what reached it without meaning to is turned away, who means it gets the token.

- Each gate answers 403 with its own code, and its sentence repeats nothing of the request.
- Probes need no header of ours, and pass the other gates like everybody.
"""

import asyncio
from pathlib import Path

import pytest

from tests.callers.loopback import skip_without
from tests.contracts.fake_world import FakeWorld
from tests.e2e import keys
from tests.e2e.asking import ASKERS, METADATA, by_aiohttp, curl, needs_curl
from tests.e2e.command import broker
from tests.e2e.conftest import Figures
from tests.e2e.daemon import Daemon

pytestmark = pytest.mark.e2e

# What is sent beside the header, and the code of the answer.
GATES = {
    "foreign host": ({"Host": "evil.example"}, "host_not_allowed"),
    "rebound name with a port": ({"Host": "127.0.0.1.evil.example:9780"}, "host_not_allowed"),
    "origin": ({"Origin": "https://evil.example"}, "browser_request"),
    "null origin": ({"Origin": "null"}, "browser_request"),
    "cross-site": ({"Sec-Fetch-Site": "cross-site"}, "browser_request"),
    "x-forwarded-for": ({"X-Forwarded-For": "198.51.100.7"}, "forwarded_request"),
    "forwarded": ({"Forwarded": "for=198.51.100.7"}, "forwarded_request"),
    "via": ({"Via": "1.1 evil.example"}, "forwarded_request"),
    "x-real-ip": ({"X-Real-IP": "198.51.100.7"}, "forwarded_request"),
}


@needs_curl
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_what_does_not_mean_us_is_turned_away_and_the_rest_is_served(
    host: str, tmp_path: Path, figures: Figures
) -> None:
    """Rule: each gate by its code with each client; with none of these headers the token."""
    skip_without(host)
    listen = [{"tcp": f"[{host}]:0" if ":" in host else f"{host}:0"}]
    async with FakeWorld.serving() as world:
        key = await world.add_key(await world.add_user())
        identities = {"default": {"keys": [keys.directory(tmp_path / "key", key)]}}
        daemon = Daemon(tmp_path / "b", iam={"url": world.url}, identities=identities, listen=listen)
        async with daemon:
            held = (await daemon.client.token(wait=10)).body["token"]
            base = f"http://{daemon.tcp[0]}"
            for name, ask in ASKERS.items():
                asked = {
                    case: ask(f"{base}/v1/token", METADATA | sent, "GET") for case, (sent, _) in GATES.items()
                }
                asked["no header"] = ask(f"{base}/v1/token", {}, "GET")
                asked["another value"] = ask(f"{base}/v1/token", {"Metadata": "yes"}, "GET")
                asked["probe"] = ask(f"{base}/readyz", {}, "GET")
                asked["probe through a proxy"] = ask(f"{base}/readyz", {"Via": "1.1 x"}, "GET")
                asked["token"] = ask(f"{base}/v1/token", METADATA, "GET")
                replies = dict(zip(asked, await asyncio.gather(*asked.values()), strict=True))
                assert {case: (reply.status, reply.code) for case, reply in replies.items()} == {
                    **{case: (403, code) for case, (_, code) in GATES.items()},
                    "no header": (403, "metadata_header_missing"),
                    "another value": (403, "metadata_header_missing"),
                    "probe": (200, None),
                    "probe through a proxy": (403, "forwarded_request"),
                    "token": (200, None),
                }, name
                assert replies["token"].tree["token"] == held, name
                assert all("evil" not in reply.body.decode() for reply in replies.values())
                assert all(reply.headers["Cache-Control"] == "no-store" for reply in replies.values()), name
            text = (await by_aiohttp(f"{base}/metrics", {})).body.decode()
            refused = {
                line.split('"')[1]: float(line.split()[1])
                for line in text.splitlines()
                if line.startswith("broker_refused_total{")
            }
        told = [(event["reason"], event["uid"]) for event in daemon.events("refused")]
        assert len(told) == len(set(told)) == 4, "each reason once, however often it came"
        assert "evil" not in daemon.log
        figures(refused=refused, lines=len(told), requests=len(ASKERS) * len(replies))


@needs_curl
async def test_an_ipv4_address_asked_through_an_ipv6_socket(tmp_path: Path) -> None:
    """Rule: whoever opens IPv6 sockets for everything, as Java does, is proven and served too."""
    skip_without("::1")
    async with FakeWorld.serving() as world:
        key = await world.add_key(await world.add_user())
        identities = {"default": {"keys": [keys.directory(tmp_path / "key", key)]}}
        daemon = Daemon(
            tmp_path / "b", iam={"url": world.url}, identities=identities, listen=[{"tcp": "127.0.0.1:0"}]
        )
        async with daemon:
            port = daemon.tcp[0].rpartition(":")[2]
            mapped = ("--connect-to", f"127.0.0.1:{port}:[::ffff:127.0.0.1]:{port}")
            wait = METADATA | {"Prefer": "wait=10"}
            assert (await curl(f"http://127.0.0.1:{port}/v1/token", wait, more=mapped)).status == 200


async def test_a_second_broker_on_the_same_port_is_refused(tmp_path: Path, figures: Figures) -> None:
    """Rule: it exits 78 with one sentence that says whose port it is, before it asks IAM; the first one serves on."""
    async with FakeWorld.serving() as world:
        key = await world.add_key(await world.add_user())
        identities = {"default": {"keys": [keys.directory(tmp_path / "key", key)]}}
        iam = {"url": world.url}
        async with Daemon(
            tmp_path / "b", iam=iam, identities=identities, listen=[{"tcp": "127.0.0.1:0"}]
        ) as first:
            await first.client.token(wait=10)
            asked = await world.issue_requests()
            second = Daemon(tmp_path / "c", iam=iam, identities=identities, listen=[{"tcp": first.tcp[0]}])
            ended = await broker("run", "--config", second.config)
            assert (ended.code, len(ended.sentences)) == (78, 1), ended.err
            assert first.tcp[0] in ended.err
            assert not second.socket.exists()
            assert await world.issue_requests() == asked
            assert (await by_aiohttp(f"http://{first.tcp[0]}/v1/token", METADATA)).status == 200
        figures(sentence=ended.err.strip())
