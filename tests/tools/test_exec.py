"""`broker exec` with real clients in hard places: a host full of other logins, a client secret, another user's grant."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.client.environment import environment as made_for
from broker.client.facade import Facade
from tests.callers.folders import open_folder
from tests.e2e.command import reachable_broker
from tests.e2e.keys import private
from tests.keystone.world import KeystoneWorld
from tests.tools.golang import GOPHERCLOUD
from tests.tools.standing import needs_tools, standing
from tests.venvs import TOOLS

pytestmark = [pytest.mark.tools, pytest.mark.keystone]

SECRET = "a-client-secret-of-32-characters"
NOWHERE = "http://127.0.0.1:1"
LOGIN = ("openstack", "token", "issue", "-f", "json")
# What a host has whose people work with several clouds.
HOSTILE = {
    "HTTP_PROXY": NOWHERE, "http_proxy": NOWHERE, "ALL_PROXY": NOWHERE, "NO_PROXY": "registry.example",
    "OS_CLOUD": "another", "OS_USERNAME": "somebody", "OS_PASSWORD": "real-key", "OS_TOKEN": "real-key",
    "OS_PROJECT_NAME": "another", "OS_PROJECT_DOMAIN_NAME": "Default", "OS_USER_DOMAIN_NAME": "Default", "OS_TRUST_ID": "t",
    "OS_SYSTEM_SCOPE": "all", "OS_AUTH_URL": "https://iam.example/v3", "OS_AUTH_TYPE": "password",
    "OS_APPLICATION_CREDENTIAL_NAME": "real", "OS_APPLICATION_CREDENTIAL_SECRET": "real-key", "OS_USER_ID": "u",
    "OS_REGION_NAME": "kr-central-2", "OS_INTERFACE": "public", "OS_IDENTITY_API_VERSION": "3",
}  # fmt: skip
CLOUDS = """
clouds:
  another:
    auth: {auth_url: "https://iam.example/v3", username: somebody, password: real-key}
"""
OPTIONS = """
import json
from keystoneauth1 import loading
names = [option.name for plugin in loading.get_available_plugin_names() for option in loading.get_plugin_loader(plugin).get_options()]
print(json.dumps(names))
"""

POST = """
import json, os, urllib.request
credential = {"id": os.environ["OS_APPLICATION_CREDENTIAL_ID"], "secret": os.environ["OS_APPLICATION_CREDENTIAL_SECRET"]}
auth = {"identity": {"methods": ["application_credential"], "application_credential": credential}}
url = os.environ["OS_AUTH_URL"] + "/auth/tokens"
request = urllib.request.Request(url, json.dumps({"auth": auth}).encode(), {"Content-Type": "application/json"})
print(urllib.request.urlopen(request).status)
"""


def left_of(names: Iterator[str]) -> set[str]:
    """Those of these variables that a command of `broker exec` would inherit."""
    facade = Facade("default", NOWHERE, client_secret=False)
    made = made_for(dict.fromkeys(names, "real-key"), facade, "unix:///s")
    return {name for name, text in made.items() if text == "real-key"}


@needs_tools
async def test_every_way_to_log_in_that_keystoneauth_knows_goes(
    keystone_world: KeystoneWorld, tmp_path: Path
):
    """Rule: the list of variables is that of the library, as it is today; ours for the broker's plugin are no login of another."""
    async with standing(tmp_path, keystone_world) as stands:
        names = json.loads((await stands.run(TOOLS.python, "-c", OPTIONS)).out)
    assert len({*names}) > 40
    assert left_of(f"OS_{name.upper().replace('-', '_')}" for name in names) == set()


@pytest.mark.skipif(not GOPHERCLOUD.is_dir(), reason="gophercloud is not installed")
def test_every_variable_that_gophercloud_logs_in_by_goes():
    text = (GOPHERCLOUD / "openstack/auth_env.go").read_text()
    names = {part.partition('"')[0] for part in text.split('os.Getenv("')[1:]}
    assert len(names) > 10
    assert left_of(iter(names)) == set()


@needs_tools
async def test_a_host_full_of_other_logins_changes_nothing(keystone_world: KeystoneWorld, tmp_path: Path):
    """Rule: no proxy, no cloud of clouds.yaml and no variable of another login comes between the client and the broker."""
    (tmp_path / "clouds.yaml").write_text(CLOUDS)
    async with standing(tmp_path, keystone_world) as stands:
        own = {**HOSTILE, "OS_CLIENT_CONFIG_FILE": str(tmp_path / "clouds.yaml")}
        ended = await stands.exec(*LOGIN, **own)
        assert ended.code == 0, ended.err
        assert json.loads(ended.out)["project_id"] == stands.owner.project_id
        shown = await stands.exec("cat", "/proc/self/environ", **own)
        assert "real-key" not in shown.out


@needs_tools
async def test_the_client_secret_of_an_identity(keystone_world: KeystoneWorld, tmp_path: Path):
    """Rule: with it the client logs in; without it nothing is started; with another one the client is told why."""
    file, other = tmp_path / "secret", tmp_path / "other"
    private(file, f"{SECRET}\n")
    private(other, "x" * 32)
    identity = {"client_secret_file": str(file)}
    async with standing(tmp_path, keystone_world, identity=identity) as stands:
        ended = await stands.exec(*LOGIN, options=("--client-secret-file", str(file)))
        assert json.loads(ended.out)["id"] == await stands.token()
        without = await stands.exec(*LOGIN)
        assert (without.code, without.out) == (125, "")
        assert "--client-secret-file" in without.err
        wrong = await stands.exec(*LOGIN, options=("--client-secret-file", str(other)))
        assert (wrong.code, wrong.out) == (1, "")
        assert "the client secret does not fit" in wrong.err


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user needs root")
async def test_whom_only_the_socket_knows_is_told_so(keystone_world: KeystoneWorld):
    """Rule: over TCP a grant by group means nothing, and the client would only say that it is forbidden."""
    grants = [{"identity": "default", "users": [0, 54_001]}, {"identity": "default", "groups": [54_002]}]
    command, own = reachable_broker()

    def by(uid: int, gid: int) -> tuple[str, ...]:
        who = ("setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups", "env", "-C", "/")
        return (*who, *command, "exec", "--", command[0], "-c", POST)

    with open_folder() as folder:
        async with standing(folder, keystone_world, grants=grants) as stands:
            granted = await stands.run(*by(54_001, 54_001), **own)
            assert (granted.code, granted.out) == (0, "201\n"), granted.err
            by_group = await stands.run(*by(54_003, 54_002), **own)
            assert (by_group.code, by_group.out) == (125, "")
            assert "over TCP only" in by_group.err
            stranger = await stands.run(*by(54_004, 54_004), **own)
            assert (stranger.code, stranger.out) == (125, "")
            assert "needs a grant" in stranger.err
