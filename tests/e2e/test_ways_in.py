"""A token from each kind of key, over plain HTTP and TLS, that Keystone itself takes.

Keystone is asked here without the broker's help: validation and project list both answer 200.
"""

import asyncio
import ssl
from pathlib import Path

import aiohttp
import pytest

from tests.contracts.fake_world import FakeWorld, private_tls
from tests.contracts.world import Key, Principal
from tests.e2e import keys
from tests.e2e.command import broker
from tests.e2e.conftest import Figures
from tests.e2e.daemon import Daemon
from tests.keystone.asking import validate
from tests.keystone.fixtures import StartKeystone
from tests.keystone.world import KeystoneWorld
from tests.tls import ServerTls

pytestmark = pytest.mark.e2e


@pytest.mark.keystone
async def test_each_kind_of_key_over_plain_http(
    keystone_world: KeystoneWorld, tmp_path: Path, figures: Figures
) -> None:
    """Rule: a key by environment, by directory and by TOML file all lead to a token that Keystone takes."""
    await _all_ways(keystone_world, tmp_path, figures)


@pytest.mark.keystone
async def test_each_kind_of_key_over_tls_with_a_private_ca(
    start_keystone: StartKeystone, server_tls: ServerTls, tmp_path: Path, figures: Figures
) -> None:
    """Rule: the same with TLS and a CA that only `ca_file` names."""
    await _all_ways(await start_keystone(tls=server_tls), tmp_path, figures)


async def test_a_certificate_of_an_unknown_ca_is_not_trusted(tmp_path: Path, figures: Figures) -> None:
    """Rule: without `ca_file` no key is sent to a server of a private CA; the reason names the setting."""
    context, ca_file = private_tls(tmp_path)
    async with FakeWorld.serving(ssl_context=context, ca_file=ca_file) as world:
        key = await world.add_key(await world.add_user())
        identities = {"default": {"keys": [keys.directory(tmp_path / "key", key)]}}
        async with Daemon(tmp_path / "broker", iam={"url": world.url}, identities=identities) as daemon:
            answer = await daemon.client.token(wait=1)
            assert answer.status == 503
            assert answer.body["code"] == "iam_unavailable"
            assert "iam.ca_file" in answer.body["detail"]
        assert await world.issue_requests() == 0
    figures(detail=answer.body["detail"])


async def _all_ways(world: KeystoneWorld, folder: Path, figures: Figures) -> None:
    owner = await world.add_user()
    await world.join_project(owner)
    made = [await world.add_key(owner) for _ in range(3)]
    iam = {"url": world.url} | ({"ca_file": world.ca_file} if world.ca_file else {})
    by_directory = {"default": {"keys": [keys.directory(folder / "key", made[1])]}}
    by_file = {"default": {"keys": [keys.toml_by_name(folder / "key.toml", made[2])]}}
    daemons = {
        "environment": (made[0], Daemon(folder / "e", iam=iam, own=keys.environment(made[0]))),
        "directory": (made[1], Daemon(folder / "d", iam=iam, identities=by_directory)),
        "toml": (made[2], Daemon(folder / "t", iam=iam, identities=by_file)),
    }
    seconds = await asyncio.gather(*(_used(world, owner, key, daemon) for key, daemon in daemons.values()))
    figures(**{f"first_token_seconds_{way}": took for way, took in zip(daemons, seconds, strict=True)})


async def _used(world: KeystoneWorld, owner: Principal, key: Key, daemon: Daemon) -> float:
    async with daemon:
        answer = await daemon.client.token(wait=10)
        assert answer.status == 200, answer.body
        printed = await broker("token", socket=daemon.socket)
        assert printed.code == 0, printed.err
        assert printed.out == answer.body["token"] + "\n"
        assert answer.body["project"] == {"id": owner.project_id, "name": owner.project_name}
        state = (await daemon.client.get("/v1/identities/default")).body
        assert state["key"] in {key.id, key.name}
        assert await validate(world, answer.body["token"]) == 200
        status, projects = await _projects(world, owner, answer.body["token"])
        assert status == 200
        assert owner.project_id in projects
    return answer.seconds


async def _projects(world: KeystoneWorld, owner: Principal, token: str) -> tuple[int, set[str]]:
    trust = ssl.create_default_context(cafile=world.ca_file) if world.ca_file else True
    url = f"{world.url}/users/{owner.user_id}/projects"
    async with (
        aiohttp.ClientSession() as session,
        session.get(url, headers={"X-Auth-Token": token}, ssl=trust) as answer,
    ):
        return answer.status, {project["id"] for project in (await answer.json())["projects"]}
