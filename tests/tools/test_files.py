"""Token files with the programs that they are for, against a real Keystone; the recipes of docs/files.md as they stand there.

Only what stands for something of the reader's is changed: folders, the group, the service that is called.
"""

import asyncio
import json
import re
import shutil
import tomllib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import keys
from tests.e2e.command import ROOT
from tests.e2e.daemon import Daemon, Table, free_port
from tests.e2e.waiting import until
from tests.keystone.world import KeystoneWorld
from tests.tools.page import blocks
from tests.tools.standing import Standing, needs_tools
from tests.venvs import TOOLS

pytestmark = [pytest.mark.tools, pytest.mark.keystone]

PAGE = ROOT / "docs/files.md"
TOKENS, SETTINGS = "/run/kakaocloud-tokens", "/etc/kakaocloud-broker"
CRON, SERVER = "Recipe: cron and curl", "Recipe: a web server that adds the token"
SOON = 20.0  # seconds
SDK = "import openstack, sys; print(openstack.connect(cloud='default').identity.get_project(sys.argv[1]).id)"


def block(heading: str, text: str) -> str:
    """The block of code in this section that holds this text."""
    (found,) = [each for each in blocks(heading, PAGE) if text in each]
    return found


def content(path: Path) -> str:
    """What a file holds, nothing where there is none."""
    return path.read_text() if path.exists() else ""


@asynccontextmanager
async def having(folder: Path, world: KeystoneWorld, *files: Table) -> AsyncIterator[Standing]:
    """A broker with these token files."""
    owner = await world.add_user()
    identities = {"default": {"keys": [keys.directory(folder / "key", await world.add_key(owner))]}}
    async with Daemon(
        folder / "b", iam={"url": world.url}, identities=identities, files=files, validation={"every": "1s"}
    ) as daemon:
        stands = Standing(daemon, world, owner, 0)
        token = await stands.token()
        for file in files:
            await holds(Path(str(file["path"])), token)
        yield stands


async def holds(path: Path, token: str) -> None:
    async def so() -> bool:
        return token in content(path)

    await until(so, SOON, f"{path.name} holds the token")


async def replaced(stands: Standing) -> str:
    """Another token, after the one of before was revoked."""
    metric = 'broker_iam_requests_total{identity="default",operation="validate",outcome="ok"}'

    async def validated() -> bool:
        return metric in await stands.daemon.client.text("/metrics")

    await until(validated, SOON, "it is validated")
    old = await stands.revoke()

    async def new() -> str | None:
        token = await stands.token()
        return token if token != old else None

    return await until(new, SOON, "another token")


def projects(stands: Standing) -> str:
    return f"{stands.world.url}/auth/projects"


@needs_tools
async def test_an_openrc_and_a_clouds_yaml_let_the_openstack_tools_work(
    keystone_world: KeystoneWorld, tmp_path: Path
) -> None:
    """Rule: they use the token as it is; the next run has the next one."""
    rc, clouds = tmp_path / "rc", tmp_path / "clouds.yaml"
    files: Sequence[Table] = (
        {"path": str(rc), "format": "openrc"},
        {"path": str(clouds), "format": "clouds.yaml"},
    )
    async with having(tmp_path, keystone_world, *files) as stands:
        project = stands.owner.project_id
        config = {"OS_CLIENT_CONFIG_FILE": str(clouds)}
        show = f"openstack project show {project} -f value -c id"
        by_shell = await stands.run("sh", "-c", f". {rc}; {show}", OS_CLOUD="another")
        assert by_shell.out.strip() == project, by_shell.err
        by_sdk = await stands.run(TOOLS.python, "-c", SDK, project, **config)
        assert by_sdk.out.strip() == project, by_sdk.err
        token = await replaced(stands)
        await holds(rc, token)
        await holds(clouds, token)
        by_cloud = await stands.run(*show.split(), **config, OS_CLOUD="default")
        assert by_cloud.out.strip() == project, by_cloud.err
        by_shell = await stands.run("sh", "-c", f". {rc}; {show}", OS_CLOUD="another")
        assert by_shell.out.strip() == project, by_shell.err


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl here")
async def test_cron_and_curl(keystone_world: KeystoneWorld, tmp_path: Path) -> None:
    """Rule: the line is run as cron does, by sh; the token is in no argument list."""
    top = PAGE.read_text().partition("    [[files]]\n")[2].partition("\n\n")[0]
    table: dict[str, Any] = tomllib.loads(top.replace(TOKENS, str(tmp_path)))
    async with having(tmp_path, keystone_world, {**table, "identity": "default", "group": 0}) as stands:
        line = block(CRON, "*/5 * * * *").split(maxsplit=5)[5]
        command = line.replace(TOKENS, str(tmp_path)).replace(
            "https://api.example/v1/usage", projects(stands)
        )
        for _ in range(2):
            ended = await stands.run("/bin/sh", "-c", command, HOME=str(tmp_path))
            assert (ended.code, ended.err) == (0, "")
            rows = json.loads((tmp_path / "usage.json").read_text())["projects"]
            assert [row["id"] for row in rows] == [stands.owner.project_id]
            await holds(Path(table["path"]), await replaced(stands))


NGINX = """
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f;
    uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            {include}
            proxy_pass {service};
        }}
    }}
}}
"""


@pytest.mark.skipif(shutil.which("nginx") is None, reason="there is no nginx here")
async def test_a_web_server_that_adds_the_token(keystone_world: KeystoneWorld, tmp_path: Path) -> None:
    """Rule: nginx starts before there is a token, and has each new one after the reload that the broker runs."""
    (tmp_path / "settings").mkdir()
    template, _, snippet = block(SERVER, "proxy_set_header").partition("\n\n")
    (tmp_path / "settings/nginx.conf.j2").write_text(template + "\n")
    config, port = tmp_path / "main.conf", free_port()
    text = snippet.replace(TOKENS, str(tmp_path)).replace(SETTINGS, str(tmp_path / "settings"))
    table: dict[str, Any] = tomllib.loads(text)["files"][0]
    assert table["on_change"] == ["nginx", "-s", "reload"]
    table["on_change"][1:1] = ["-c", str(config)]
    (include,) = re.findall(r"`(include [^`]*;)`", PAGE.read_text())
    config.write_text(
        NGINX.format(
            folder=tmp_path,
            port=port,
            include=include.replace(TOKENS, str(tmp_path)),
            service=f"{keystone_world.url}/auth/projects",
        )
    )
    child = await asyncio.create_subprocess_exec("nginx", "-c", str(config), "-g", "daemon off;")
    try:
        async with having(tmp_path, keystone_world, table) as stands:
            for _ in range(2):

                async def passed() -> bool:
                    ended = await stands.run("curl", "-s", f"http://127.0.0.1:{port}/")
                    return stands.owner.project_id in ended.out

                await until(passed, SOON, "nginx adds the token")
                await replaced(stands)
    finally:
        child.terminate()
        await child.wait()
