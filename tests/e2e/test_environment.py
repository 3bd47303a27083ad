"""Settings that come wholly from the environment: no file, and the broker is as if there were one."""

import asyncio
import os
from pathlib import Path

import pytest

from tests.callers.folders import open_folder
from tests.contracts.fake_world import FakeWorld
from tests.e2e import keys
from tests.e2e.asking import METADATA, curl, needs_curl, needs_root
from tests.e2e.command import broker
from tests.e2e.conftest import Figures
from tests.e2e.daemon import Daemon, free_port

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(
        Path("/etc/kakaocloud-broker/broker.toml").exists(), reason="this host has a broker's file of its own"
    ),
]

STRANGER = 54321


@needs_root
@needs_curl
async def test_listeners_identities_grants_and_the_rest_by_variables(figures: Figures) -> None:
    """Rule: lists and tables as JSON, scalars by their path; grants hold, and `broker check` says what it comes to."""
    port = free_port()
    with open_folder() as folder:
        async with FakeWorld.serving() as world:
            key = await world.add_key(await world.add_user())
            daemon = Daemon(
                folder / "b",
                iam={"url": world.url, "timeout": "7s"},
                identities={"default": {"keys": [keys.directory(folder / "key", key)]}},
                listen=[{"tcp": f"127.0.0.1:{port}"}],
                grants=[{"identity": "default", "users": [STRANGER], "listeners": [f"127.0.0.1:{port}"]}],
                own={
                    "KAKAOCLOUD_BROKER_LOG__FORMAT": "json",
                    "KAKAOCLOUD_BROKER_SERVING__HOSTS": '["broker.test"]',
                },
                by_variables=True,
            )
            assert not daemon.config.exists()
            async with daemon:
                url, wait = f"http://127.0.0.1:{port}/v1/token", METADATA | {"Prefer": "wait=10"}
                granted, named, root, by_socket = await asyncio.gather(
                    curl(url, wait, user=STRANGER),
                    curl(url, wait | {"Host": "broker.test"}, user=STRANGER),
                    curl(url, wait),
                    curl("http://b/v1/token", wait, socket=daemon.socket, user=STRANGER),
                )
                assert [reply.status for reply in (granted, named, root, by_socket)] == [200, 200, 403, 403]
                checked = await broker("check", own=daemon.variables)
            assert daemon.events("serving")[0]["grants"] == 1
    assert (checked.code, checked.err) == (0, "")
    assert checked.out.startswith("Good: no file, the environment alone\n")
    assert f"default: user {STRANGER} on 127.0.0.1:{port}" in checked.out
    figures(check=checked.out)


async def test_the_defaults_with_a_key_of_the_environment(tmp_path: Path, figures: Figures) -> None:
    """Rule: with no listener named, the socket is in the runtime folder and loopback is served; a check makes nothing."""
    async with FakeWorld.serving() as world:
        key = await world.add_key(await world.add_user())
        own = keys.environment(key) | {
            "RUNTIME_DIRECTORY": str(tmp_path),
            "KAKAOCLOUD_BROKER_IAM__URL": world.url,
        }
        checked = await broker("check", own=own)
        assert checked.code == 0, checked.err
        assert checked.sentences == [line for line in checked.sentences if "cannot be reloaded" in line]
        listeners = [line.strip().partition(": ")[0] for line in checked.out.splitlines()[2:5]]
        assert listeners == [f"{tmp_path}/broker.sock", "127.0.0.1:9780", "[::1]:9780"]
        assert os.listdir(tmp_path) == [], "a check leaves nothing behind"  # noqa: PTH208  (names are all that is asked)
    figures(check=checked.out, warning=checked.err.strip())
