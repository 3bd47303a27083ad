"""Each recipe of docs/recipes.md, run as it stands there; only what the page says stands for something of yours is changed."""

import json
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml

from tests.e2e.command import Ended
from tests.keystone.world import KeystoneWorld
from tests.tls import ServerTls
from tests.tools import page
from tests.tools.cluster import VERSION, cluster
from tests.tools.golang import built
from tests.tools.page import blocks
from tests.tools.standing import Standing, needs_tools, standing

pytestmark = [pytest.mark.tools, pytest.mark.keystone, pytest.mark.timeout(400)]

SOCKET, LOOPBACK = "/run/kakaocloud-broker/broker.sock", "127.0.0.1:9780"


@pytest.fixture
async def stands(keystone_world: KeystoneWorld, tmp_path: Path) -> AsyncIterator[Standing]:
    async with standing(tmp_path, keystone_world) as broker:
        yield broker


def has(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"there is no {program} here")


def here(stands: Standing, text: str) -> str:
    """The text with where the broker is in place of where it is by default."""
    return text.replace(SOCKET, str(stands.daemon.socket)).replace(LOOPBACK, f"127.0.0.1:{stands.port}")


def service(stands: Standing) -> str:
    """What is called with a token: Keystone's own list of the projects of who calls."""
    return f"{stands.world.url}/auth/projects"


def got_projects(stands: Standing, text: str) -> bool:
    return [row["id"] for row in json.loads(text)["projects"]] == [stands.owner.project_id]


def test_every_recipe_has_a_test():
    """Rule: a recipe that nobody runs goes stale; what is not run is a skip with its reason."""
    here = " ".join(name for name in globals() if name.startswith("test_"))
    words = {"A self-hosted CI runner": "ci_runner", "Docker Compose": "docker_compose"}
    assert all(words.get(each, each.lower()) in here for each in page.headings())


@has("curl")
async def test_bash_with_one_request(stands: Standing):
    ended = await stands.run("bash", "-c", blocks("bash")[0], SERVICE_URL=service(stands))
    assert got_projects(stands, ended.out), ended.err


@has("curl")
async def test_bash_with_a_token_that_was_revoked(stands: Standing, tmp_path: Path):
    """Rule: the script reports the 401 and asks once more; where nothing is wrong it asks once."""
    script = tmp_path / "script"
    script.write_text(blocks("bash")[1])
    before = await stands.revoke()
    ended = await stands.run("bash", script, SERVICE_URL=service(stands))
    assert got_projects(stands, ended.out), ended.err
    assert ended.err.startswith("replaced: ")
    assert await stands.token() != before
    ended = await stands.run("bash", script, SERVICE_URL=service(stands))
    assert got_projects(stands, ended.out)
    assert ended.err == ""


@has("curl")
async def test_cron(stands: Standing, tmp_path: Path):
    """Rule: the line is run as cron runs it, by sh and with the variables of the table alone; not at ten past, though."""
    *settings, line = blocks("cron")[0].splitlines()
    own = dict(setting.split("=", 1) for setting in settings)
    own["PATH"] = own["PATH"].replace("/opt/kakaocloud-broker/bin", str(Path(sys.executable).parent))
    own |= {"SERVICE_URL": service(stands), "HOME": str(tmp_path), "SHELL": "/bin/sh"}
    own["KAKAOCLOUD_BROKER_URL"] = stands.variables["KAKAOCLOUD_BROKER_URL"]
    command = line.split(maxsplit=5)[5]
    assert "%" not in command, "cron makes it a line's end"
    variables = [f"{name}={text}" for name, text in own.items()]
    ended = await stands.run("env", "-i", *variables, "/bin/sh", "-c", command)
    assert (ended.code, ended.out, ended.err) == (0, "", "")
    assert got_projects(stands, (tmp_path / "servers.json").read_text())


@has("ansible-playbook")
async def test_ansible(stands: Standing, tmp_path: Path):
    play = tmp_path / "play.yml"
    play.write_text(blocks("Ansible")[0])
    own = {"SERVICE_URL": service(stands), "HOME": str(tmp_path), "LC_ALL": "C.UTF-8"}
    ended = await stands.run("env", "-C", tmp_path, "ansible-playbook", play, **own)
    assert ended.code == 0, ended.out
    assert got_projects(stands, (tmp_path / "servers.json").read_text())
    assert await stands.token() not in ended.out


@needs_tools
async def test_ci_runner_by_the_lines_of_its_job(stands: Standing):
    [job] = yaml.safe_load(blocks("A self-hosted CI runner")[0]).values()
    ended = await stands.run("bash", "-e", "-c", "\n".join(job["script"]))
    assert ended.code == 0, ended.err
    assert stands.owner.project_id in ended.out


async def python(stands: Standing, number: int, folder: Path, *before: str) -> Ended:
    program = folder / "program.py"
    program.write_text(blocks("Python")[number])
    return await stands.run(*before, "python3", program, SERVICE_URL=service(stands))


async def test_python_with_requests(stands: Standing, tmp_path: Path):
    own = f"{Path(sys.executable).parent}:{stands.variables['PATH']}"
    await stands.revoke()
    ended = await python(stands, 0, tmp_path, "env", f"PATH={own}")
    assert got_projects(stands, ended.out), ended.err


@needs_tools
async def test_python_with_openstacksdk(stands: Standing, tmp_path: Path):
    ended = await python(stands, 1, tmp_path, "broker", "exec", "--")
    assert (ended.code, ended.out.strip()) == (0, stands.owner.project_id), ended.err


async def test_go(stands: Standing, tmp_path: Path):
    source = tmp_path / "program.go"
    source.write_text(here(stands, blocks("Go")[0]))
    ended = await stands.run(built(source, tmp_path), SERVICE_URL=service(stands))
    assert ended.out == "200 OK\n", ended.err


@has("terraform")
async def test_terraform_by_its_form(stands: Standing, tmp_path: Path):
    (tmp_path / "main.tf").write_text(blocks("Terraform")[0])
    ended = await stands.run("terraform", "fmt", "-check", "-diff", tmp_path)
    assert ended.code == 0, ended.out + ended.err


def test_terraform_plan():
    pytest.skip(
        "KakaoCloud's provider comes from a registry and works on KakaoCloud alone; test_replay.py sends what it sends"
    )


@has("kubectl")
async def test_kubectl(stands: Standing, tmp_path: Path, server_tls: ServerTls):
    """Rule: kubectl gets a token by the plugin at each run, and a living one after a revocation."""
    plugin = built(Path(__file__).with_name("kic_iam_auth_go"), tmp_path)
    plugin.rename(tmp_path / "kic-iam-auth")
    [user] = (kubeconfig := yaml.safe_load(here(stands, blocks("kubectl")[0])))["users"]
    with cluster(server_tls, stands.world.url) as (url, shown):
        where = {"server": url, "certificate-authority": str(server_tls.ca_file)}
        kubeconfig |= {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": where}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": user["name"]}}],
            "current-context": "c",
        }
        file = tmp_path / "kubeconfig"
        file.write_text(json.dumps(kubeconfig))
        own = {"KUBECONFIG": str(file), "HOME": str(tmp_path)}
        own["PATH"] = f"{tmp_path}:{stands.variables['PATH']}"
        for _ in range(2):
            ended = await stands.run("kubectl", "get", "--raw", "/version", **own)
            assert json.loads(ended.out) == VERSION, ended.err
            assert shown[-1] == await stands.revoke()
        assert len({*shown}) == 2


async def test_docker_compose(stands: Standing, tmp_path: Path):
    file = tmp_path / "compose.yaml"
    file.write_text(blocks("Docker Compose")[0])
    if shutil.which("docker") is None or (await stands.run("docker", "compose", "version")).code:
        pytest.skip("there is no Docker Compose here; the file was not judged")
    ended = await stands.run("docker", "compose", "-f", file, "config", "--quiet")
    assert ended.code == 0, ended.err
    pytest.skip("the file is good; it was not started, for its image stands for one of yours")
