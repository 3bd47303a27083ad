"""SIGHUP: what is taken over while the broker runs, what waits, and that a bad file changes nothing."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from broker.app import Broker, running
from broker.clock import BootClock
from broker.core.errors import ConfigError, Problem
from broker.fakeiam.server import FakeIam
from broker.identity.sources import Sources
from broker.settings import Settings
from tests.app.daemon import daemon
from tests.app.whole import get, key_folder, settings, until


class House:
    """A broker whose next settings the test writes."""

    def __init__(self, folder: Path, iam: FakeIam, url: str) -> None:
        self.folder = folder
        self.iam = iam
        self.tables: dict[str, Any] = {"iam": {"url": url}}
        self.identities: dict[str, dict[str, Any]] = {"default": self.identity("default")}
        self.problem: ConfigError | None = None
        self.broker: Broker

    def identity(self, name: str) -> dict[str, Any]:
        """An identity with a key of its own."""
        key = self.iam.realm.add_key(self.iam.realm.add_user("member", name=name).id)
        return {"keys": [str(key_folder(self.folder / name, key.id, key.secret))]}

    def settings(self) -> Settings:
        if self.problem is not None:
            raise self.problem
        return settings(self.folder, self.identities, **self.tables)

    async def reload(self) -> None:
        self.broker.reloading.ask()
        await until(lambda: self.broker.reloading._task is None)

    async def get(self, target: str) -> tuple[int, dict[str, Any]]:
        return await get(self.folder / "s", target)


@asynccontextmanager
async def house(folder: Path) -> AsyncIterator[House]:
    iam = FakeIam()
    async with iam.serve() as url:
        one = House(folder, iam, url)
        async with running(one.settings(), Sources({}), BootClock(), one.settings) as one.broker:
            yield one


async def test_identities_come_and_go_while_others_keep_their_token(tmp_path: Path):
    async with house(tmp_path) as one:
        _, before = await one.get("/v1/identities/default/token")
        one.identities["second"] = one.identity("second")
        await one.reload()
        assert (await one.get("/v1/identities/second/token"))[0] == 200
        assert (await one.get("/v1/identities/second/projects"))[0] == 200
        del one.identities["second"]
        await one.reload()
        assert (await one.get("/v1/identities/second/token"))[0] == 403
        assert (await one.get("/readyz"))[1]["identities"].keys() == {"default"}
        assert (await one.get("/v1/identities/default/token"))[1]["token"] == before["token"]


async def test_grants_hold_from_now_on_for_a_connection_that_is_open(tmp_path: Path):
    async with house(tmp_path) as one:
        reader, writer = await asyncio.open_unix_connection(tmp_path / "s")
        ask = b"GET /v1/identities/default/token?format=text HTTP/1.1\r\nHost: broker\r\n\r\n"

        async def status() -> bytes:
            writer.write(ask)
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length:")
            )
            await reader.readexactly(length)
            return head[9:12]

        assert await status() == b"200"
        one.tables["grants"] = [{"identity": "default", "users": [os.getuid() + 1]}]
        await one.reload()
        assert await status() == b"403"
        del one.tables["grants"]
        await one.reload()
        assert await status() == b"200"
        writer.close()


async def test_another_source_of_keys_is_tried_and_used(tmp_path: Path):
    async with house(tmp_path) as one:
        _, before = await one.get("/v1/identities/default/token")
        user = one.iam.realm.add_user("member", name="another")
        key = one.iam.realm.add_key(user.id)
        one.identities["default"] = {"keys": [str(key_folder(tmp_path / "foreign", key.id, key.secret))]}
        await one.reload()
        keeper = one.broker.desk.keyring["default"]
        await until(lambda: any(record.detail for record in keeper.lease.keys))
        _, state = await one.get("/v1/identities/default")
        assert state["degraded"] == ["key_project_mismatch"]
        assert (await one.get("/v1/identities/default/token"))[1]["token"] == before["token"]


async def test_a_bad_file_changes_nothing_and_says_why(tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    async with house(tmp_path) as one:
        one.problem = ConfigError(Problem("broker.toml", "is not TOML", "correct the line"))
        await one.reload()
        assert (await one.get("/v1/token"))[0] == 200
        one.problem = None
        one.identities["second"] = {"keys": [str(tmp_path / "nowhere")]}
        one.tables["grants"] = [{"identity": "default", "users": [os.getuid() + 1]}]
        await one.reload()
        assert (await one.get("/v1/token"))[0] == 200, "not even the good half is taken over"
        assert (await one.get("/readyz"))[1]["identities"].keys() == {"default"}
    assert "nowhere" in "".join(capfd.readouterr())


async def test_what_needs_a_restart_is_named_and_left(tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    async with house(tmp_path) as one:
        one.tables |= {"serving": {"drain": 3}, "log": {"level": "debug", "audit": "off"}}
        await one.reload()
        assert one.broker.reloading.settings.serving.drain == 10
        assert one.broker.reloading.settings.log.level == "debug"
    assert "serving.drain" in "".join(capfd.readouterr())


async def test_the_daemon_reloads_on_sighup(tmp_path: Path):
    iam = FakeIam()
    async with iam.serve() as url:
        keys = key_folder(tmp_path / "key", iam.key.id, iam.key.secret)
        config = tmp_path / "broker.toml"
        config.write_text(f'[iam]\nurl = "{url}"\n[identities.default]\nkeys = ["{keys}"]\n')
        async with daemon(tmp_path / "s", KAKAOCLOUD_BROKER_CONFIG=str(config)) as running_one:
            assert (await get(tmp_path / "s", "/v1/token"))[0] == 200
            config.write_text(config.read_text() + f'[identities.more]\nkeys = ["{keys}"]\n')
            running_one.process.send_signal(signal.SIGHUP)
            async with asyncio.timeout(20):
                while "more" not in (await get(tmp_path / "s", "/readyz"))[1]["identities"]:
                    pass  # each look is a round of the loop
            assert (await get(tmp_path / "s", "/v1/identities/more/token"))[0] == 200
            ended = await running_one.stop()
    assert ended.code == 0
    assert "Traceback" not in ended.err
