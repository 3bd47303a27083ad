"""The token as four clients ask for it: forms, tags, waits and lives, over loopback TCP.

- Each rule is told as a table of requests and what is seen of the answers, and holds for each client alike.
- What IAM gave is compared with what IAM says to a client of its own.
"""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from openapi_spec_validator import validate

from tests.contracts.fake_world import FakeWorld
from tests.e2e import keys
from tests.e2e.asking import ASKERS, METADATA, Reply, by_aiohttp, by_httpx, curl, needs_curl
from tests.e2e.conftest import Figures
from tests.e2e.daemon import Daemon

pytestmark = [pytest.mark.e2e, needs_curl]

LIFE = 12 * 3600
TEXT, JSON = "text/plain; charset=utf-8", "application/json; charset=utf-8"
PROMTOOL = shutil.which("promtool")

# What is asked for, and the kind of the answer.
FORMS = {
    "": JSON,
    "*/*": JSON,
    "application/json": JSON,
    "text/plain": TEXT,
    "TEXT/PLAIN": TEXT,
    "text/*": TEXT,
    "text/plain;q=0.5, application/json": JSON,
    "application/json;q=0.5, text/plain": TEXT,
    "text/plain, application/json": JSON,  # equal wishes
    "text/html, application/xhtml+xml, */*;q=0.8": JSON,
    "image/png": JSON,
    "text/plain;q=0, */*": JSON,
    "text/plain;q=none": JSON,
}


@asynccontextmanager
async def _broker(folder: Path, life: float = LIFE) -> AsyncIterator[tuple[FakeWorld, Daemon, str]]:
    """An IAM, a broker that holds a token, and its address over TCP."""
    async with FakeWorld.serving(life=life) as world:
        owner = await world.add_user("member", "reader")
        await world.join_project(owner)
        identities = {"default": {"keys": [keys.directory(folder / "key", await world.add_key(owner))]}}
        iam, listen = {"url": world.url}, [{"tcp": "127.0.0.1:0"}]
        async with Daemon(folder / "b", iam=iam, identities=identities, listen=listen) as daemon:
            assert (await daemon.client.token(wait=10)).status == 200
            yield world, daemon, f"http://{daemon.tcp[0]}"


async def _all(name: str, base: str, asked: Mapping[str, tuple[str, Mapping[str, str]]]) -> dict[str, Reply]:
    """The answers to all of these by one client: for each name a path and headers."""
    replies = await asyncio.gather(
        *(ASKERS[name](f"{base}{path}", METADATA | dict(headers), "GET") for path, headers in asked.values())
    )
    return dict(zip(asked, replies, strict=True))


@pytest.mark.parametrize("name", ASKERS)
async def test_forms_tags_and_lives(name: str, tmp_path: Path) -> None:
    """Rule: Accept with weights, `?format=`, weak tags, HEAD, `min_ttl` and `Prefer` are as the interface says."""
    async with _broker(tmp_path) as (world, daemon, base):
        token, path = (await daemon.client.token()).body["token"], "/v1/token"
        began = time.monotonic()
        forms = await _all(name, base, {accept: (path, {"Accept": accept}) for accept in FORMS})
        assert {accept: reply.headers["Content-Type"] for accept, reply in forms.items()} == FORMS
        for accept, reply in forms.items():
            assert reply.body == token.encode() if FORMS[accept] == TEXT else reply.tree["token"] == token
            assert (reply.headers["Vary"], reply.headers["Cache-Control"]) == ("Accept", "no-store")
        tag = forms[""].headers["ETag"]
        assert {reply.headers["ETag"] for reply in forms.values()} == {tag}
        assert tag.startswith('W/"')
        assert token[:8] not in tag
        strong = tag.removeprefix("W/")
        by = {
            "same": tag,
            "strong": strong,
            "any": "*",
            "in a list": f'"x", {tag}',
            "other": 'W/"x"',
            "bare": strong.strip('"'),
        }
        tagged = await _all(name, base, {case: (path, {"If-None-Match": each}) for case, each in by.items()})
        assert {case: reply.status for case, reply in tagged.items()} == {
            "same": 304,
            "strong": 304,
            "any": 304,
            "in a list": 304,
            "other": 200,
            "bare": 200,
        }
        assert all(r.body == b"" and r.headers["ETag"] == tag for r in tagged.values() if r.status == 304)
        head = await ASKERS[name](f"{base}{path}?format=text", METADATA, "HEAD")
        assert (head.status, head.body, head.headers["ETag"]) == (200, b"", tag)
        assert head.headers["Content-Length"] == str(len(token))
        more = await _all(
            name,
            base,
            {
                "text": (f"{path}?format=text", {"Accept": "application/json"}),
                "json": (f"{path}?format=json", {"Accept": "text/plain"}),
                "no form": (f"{path}?format=xml", {}),
                "half a life": (f"{path}?min_ttl={LIFE // 2 - 5}", {}),
                "more than half": (f"{path}?min_ttl={LIFE // 2 + 60}", {"Prefer": "wait=20"}),
                "no number": (f"{path}?min_ttl=10m", {}),
                "waits": (path, {"Prefer": "wait=5"}),
                "waits too long": (path, {"Prefer": "respond-async, wait=99"}),
                "waits for nonsense": (path, {"Prefer": "wait=-1"}),
            },
        )
        assert (more["text"].body, more["json"].tree["token"]) == (token.encode(), token)
        seen = {case: (reply.status, reply.code) for case, reply in more.items()}
        assert seen.pop("no form") == seen.pop("no number") == (400, "bad_request")
        assert seen.pop("more than half") == (503, "min_ttl_unavailable")
        assert set(seen.values()) == {(200, None)}
        applied = {case: reply.headers.get("Preference-Applied") for case, reply in more.items()}
        assert applied["waits"] == "wait=5"
        assert applied["waits too long"] == "wait=30"
        assert applied["waits for nonsense"] is applied["text"] is None
        assert await world.issue_requests() == 1
        assert time.monotonic() - began < 15, "the one that asked for more than half a life was made to wait"


async def test_a_long_poll_answers_at_the_change_or_at_its_end(tmp_path: Path, figures: Figures) -> None:
    """Rule: by each client, with one tag: 304 once the wait is over, 200 with the new token as soon as there is one."""
    async with _broker(tmp_path, life=12) as (world, daemon, base):
        first = await daemon.client.token()
        sent = METADATA | {"If-None-Match": first.headers["ETag"]}
        began = time.monotonic()
        quick = asyncio.gather(
            *(ask(f"{base}/v1/token", sent | {"Prefer": "wait=1"}, "GET") for ask in ASKERS.values())
        )
        polls = [ask(f"{base}/v1/token", sent | {"Prefer": "wait=20"}, "GET") for ask in ASKERS.values()]
        by_socket = [
            curl("http://b/v1/token", sent | {"Prefer": "wait=20"}, socket=daemon.socket),
            by_httpx("http://b/v1/token", sent | {"Prefer": "wait=20"}, socket=daemon.socket),
        ]
        slow = asyncio.gather(*polls, *by_socket)
        assert {(reply.status, reply.headers["Preference-Applied"]) for reply in await quick} == {
            (304, "wait=1")
        }
        over = time.monotonic() - began
        changed = await slow
        woken = time.monotonic() - began
        assert {reply.status for reply in changed} == {200}
        assert len({reply.tree["token"] for reply in changed} | {first.body["token"]}) == 2
        assert 1 <= over < 5, "it waited for the change"
        assert woken < 12, "nobody waited for the end of the first token"
        assert await world.issue_requests() == 2
        figures(unchanged_after=over, changed_after=woken, pollers=len(changed))


async def test_lists_health_metrics_and_the_description(tmp_path: Path, figures: Figures) -> None:
    """Rule: catalog and projects as IAM gives them; readiness by name; what the document says is what is answered."""
    async with _broker(tmp_path) as (world, daemon, base):
        held = (await daemon.client.token()).body
        async with aiohttp.ClientSession(headers={"X-Auth-Token": held["token"]}) as session:
            async with session.get(f"{world.url}/auth/catalog") as answer:
                catalog = (await answer.json())["catalog"]
            async with session.get(f"{world.url}/users/{held['user']['id']}/projects") as answer:
                projects = (await answer.json())["projects"]
        given = await _all(
            "httpx", base, {k: (f"/v1/identities/default/{k}", {}) for k in ("catalog", "projects")}
        )
        assert given["catalog"].tree == {"catalog": catalog}
        assert given["projects"].tree == {"projects": projects}
        assert len(projects) == 2
        ready, unknown = await asyncio.gather(
            by_aiohttp(f"{base}/readyz/default", {}), by_aiohttp(f"{base}/readyz/nowhere", {})
        )
        assert (ready.status, ready.tree["ready"], unknown.status, unknown.code) == (
            200,
            True,
            404,
            "not_found",
        )
        document = (await curl(f"{base}/openapi.json", {})).tree
        validate(document)
        told = {}
        assert document["paths"].pop("/v1/identities/{name}/rejections").keys() == {"post"}
        for path, methods in document["paths"].items():
            # Nobody has told which object storage takes the tokens of this IAM.
            found = 404 if path.endswith("/s3-credentials") else 200
            for name, wanted in (("default", found), ("nowhere", None)):
                reply = await by_aiohttp(f"{base}{path.replace('{name}', name)}", METADATA)
                told[path, name] = reply.status
                assert str(reply.status) in methods["get"]["responses"], (path, name)
                assert reply.status == (wanted or reply.status), path
            gone = await by_aiohttp(f"{base}{path.replace('{name}', 'default')}", METADATA, "DELETE")
            assert (gone.status, gone.code, gone.headers["Allow"]) == (
                405,
                "method_not_allowed",
                "GET,HEAD",
            ), path
        figures(paths=len(document["paths"]), answered={" ".join(k): v for k, v in told.items() if v != 200})


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed")
async def test_promtool_accepts_the_metrics(tmp_path: Path, figures: Figures) -> None:
    """Rule: after traffic of every kind, with trouble too, the exposition has no fault and no hint."""
    async with _broker(tmp_path) as (_, _, base):
        for path in ("/v1/token", "/v1/identities/x/token", "/nowhere", "/v1/identities/default/projects"):
            await asyncio.gather(by_aiohttp(f"{base}{path}", METADATA), by_aiohttp(f"{base}{path}", {}))
        reply = await by_aiohttp(f"{base}/metrics", {})
        child = await asyncio.create_subprocess_exec(
            str(PROMTOOL),
            "check",
            "metrics",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await asyncio.wait_for(child.communicate(reply.body), 20)
        assert (child.returncode, said.decode()) == (0, "")
        names = {
            line.split()[2] for line in reply.body.decode().splitlines() if line.startswith("# TYPE broker_")
        }
        figures(families=len(names), bytes=len(reply.body))
