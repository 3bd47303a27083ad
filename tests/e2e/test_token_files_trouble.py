"""What goes wrong with one token file is said plainly, and touches neither the daemon nor the other files."""

import json
import os
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from broker.fakeiam.faults import Operation
from tests.callers.folders import open_folder
from tests.contracts.fake_world import FakeWorld
from tests.e2e import keys, mounts
from tests.e2e.command import BROKER, broker, reachable_broker
from tests.e2e.daemon import Daemon
from tests.e2e.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.files]

BROKERS = 54321  # the user of a broker that is not root
SOON = 15.0  # seconds, in which a failed write is tried four times
QUICK = 1.0


@dataclass
class House:
    """A broker with the file `good`, and one that gets into trouble."""

    world: FakeWorld
    daemon: Daemon
    good: Path
    bad: Path

    async def files(self) -> dict[str, dict[str, Any]]:
        answer = await self.daemon.client.get("/v1/identities/default")
        assert answer.status == 200
        assert answer.seconds < QUICK
        return {file["path"]: file for file in answer.body["files"]}

    async def token(self) -> str:
        answer = await self.daemon.client.token(wait=10)
        assert (answer.status, answer.seconds < QUICK) == (200, True)
        return str(answer.body["token"])

    async def told(self, words: str) -> None:
        """It is said in the state of the file, by `broker status` too, and once in the log."""

        async def said() -> bool:
            return words in ((await self.files())[str(self.bad)]["detail"] or "")

        await until(said, SOON, words)
        answer = await self.daemon.client.get("/v1/identities/default")
        assert answer.body["degraded"] == ["sink_failed"]
        shown = await broker("status", socket=self.daemon.socket)
        assert (shown.code, words in shown.out) == (0, True)
        events = [event["detail"] for event in self.daemon.events("file_failed")]
        assert len([detail for detail in events if words in detail]) == 1
        assert (
            'broker_degraded{identity="default",reason="sink_failed"} 1.0'
            in await self.daemon.client.text("/metrics")
        )

    async def replaced(self) -> str:
        """The token is revoked, and found dead; the next one, which `good` holds."""
        old = await self.token()

        async def validated() -> bool:  # before that, a refusal says nothing
            return self.world.iam.counters.arrived[Operation.VALIDATE] > 0

        await until(validated, SOON, "the token is validated")
        await self.world.revoke(old)

        async def new() -> str | None:
            token = await self.token()
            return token if token != old else None

        token = await until(new, SOON, "a dead token is replaced")
        await self.holds(self.good, token)
        return token

    async def holds(self, path: Path, token: str | None) -> None:
        """Wait until the file holds this token, or is gone."""

        async def so() -> bool:
            return content(path) == token

        await until(so, SOON, f"{path.name} is as it should be")

    async def well(self) -> None:
        """Nothing is wrong any more."""

        async def so() -> bool:
            answer = await self.daemon.client.get("/v1/identities/default")
            return not answer.body["degraded"]

        await until(so, SOON, "all is well")


def content(path: Path) -> str | None:
    """What a file holds, None where there is none."""
    try:
        return path.read_text()
    except FileNotFoundError:
        return None


def give(folder: Path, owner: int) -> None:
    for path in folder, *folder.rglob("*"):
        os.chown(path, owner, owner)


@asynccontextmanager
async def house(
    folder: Path, bad: Mapping[str, object], prefix: Sequence[str] = (), owner: int | None = None
) -> AsyncIterator[House]:
    """`bad` is the table of the file that gets into trouble; `owner` runs the broker, if not we."""
    command, own = (BROKER, None) if owner is None else reachable_broker()
    if owner is not None:
        prefix = ["setpriv", f"--reuid={owner}", f"--regid={owner}", "--clear-groups"]
    (folder / "good").mkdir()
    good = folder / "good" / "t"
    async with FakeWorld.serving() as world:
        key = await world.add_key(await world.add_user())
        identities = {"default": {"keys": [keys.directory(folder / "key", key)]}}
        files = [{"path": str(good)}, bad]
        daemon = Daemon(
            folder / "broker", iam={"url": world.url}, identities=identities, files=files,
            validation={"every": "1s"}, prefix=prefix, command=command, own=own,
            grants=[{"identity": "default", "users": [os.geteuid()]}],
        )  # fmt: skip
        if owner is not None:
            give(folder, owner)
        async with daemon:
            one = House(world, daemon, good, Path(str(bad["path"])))
            await one.holds(good, await one.token())
            yield one


async def test_a_full_disk(tmp_path: Path):
    """Full at start, then with room, then full again when the token dies: the dead one goes first, which makes room."""
    with mounts.small(tmp_path / "disk"):
        filler = mounts.fill(tmp_path / "disk")
        async with house(tmp_path, {"path": str(tmp_path / "disk/t")}) as one:
            await one.told("cannot be written (no space left on device); make room on its disk")
            assert not one.bad.exists()
            filler.unlink()
            await one.holds(one.bad, await one.token())
            await one.well()
            mounts.fill(tmp_path / "disk")
            await one.holds(one.bad, await one.replaced())


async def test_a_folder_that_is_read_only(tmp_path: Path):
    folder = tmp_path / "folder"
    with mounts.read_only(folder):
        async with house(tmp_path, {"path": str(folder / "t")}) as one:
            await one.told(
                f"cannot be written (read-only file system); mount {folder} so that it can be written"
            )
            await one.replaced()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start a broker as another user")
async def test_a_folder_that_the_broker_of_a_user_of_its_own_may_not_write():
    """As it should be run. The last token stays for as long as it is good; a dead one does not, and be it by an empty file."""
    with open_folder() as folder:
        disk = folder / "disk"
        disk.mkdir()
        async with house(folder, {"path": str(disk / "t")}, owner=BROKERS) as one:
            await one.holds(one.bad, await one.token())
            assert one.bad.stat().st_uid == BROKERS
            disk.chmod(0o555)
            await one.replaced()
            await one.holds(one.bad, "")
            await one.told(f"(permission denied); let uid {BROKERS} write {disk}")
            disk.chmod(0o755)
            await one.holds(one.bad, await one.token())
            await one.well()
        assert content(one.bad) is None


async def test_a_template_with_a_mistake(tmp_path: Path):
    template = tmp_path / "template"
    template.write_text("token={{ tokn }}")
    async with house(tmp_path, {"path": str(tmp_path / "t"), "template": str(template)}) as one:
        await one.told("(line 1: 'tokn' is undefined); correct that line")
        template.write_text("token={{ token }}")
        await one.holds(one.bad, f"token={await one.token()}")
        await one.well()


async def test_a_user_that_has_vanished(tmp_path: Path):
    """Looked up at start and at a reload, which then changes nothing; what runs has the number."""
    users = tmp_path / "passwd"
    known = content(Path("/etc/passwd")) or ""
    users.write_text(f"{known}reader:x:54321:54321::/:/bin/sh\n")
    script = f'mount --bind {users} /etc/passwd && exec "$@"'
    with mounts.small(tmp_path / "probe"):  # skips where nobody may mount
        pass
    prefix = ["unshare", "--mount", "sh", "-c", script, "sh"]
    bad = {"path": str(tmp_path / "t"), "owner": "reader"}
    async with house(tmp_path, bad, prefix=prefix) as one:
        await one.holds(one.bad, await one.token())
        assert one.bad.stat().st_uid == 54321
        users.write_text(known)
        one.daemon.send(signal.SIGHUP)

        async def refused() -> list[dict[str, Any]]:
            return one.daemon.events("reload_refused")

        (event,) = await until(refused, SOON, "the reload is refused")
        assert event["problems"][0].endswith(
            "files[1].owner: is no user of this host; create the user, or give its name or number"
        )
        token = await one.replaced()
        await one.holds(one.bad, token)
        assert one.bad.stat().st_uid == 54321
    found = await broker("check", "--config", str(one.daemon.config))
    assert found.code == 78
    assert "files[1].owner: is no user of this host" in found.err


async def test_a_disk_that_hangs(tmp_path: Path):
    """It holds up neither the loop, nor the other file, nor its identity; and what it holds at the end is the newest."""
    disk = tmp_path / "disk"
    with mounts.freezable(disk, tmp_path / "image"):
        async with house(tmp_path, {"path": str(disk / "t")}) as one:
            await one.holds(one.bad, await one.token())
            with mounts.frozen(disk):
                token = await one.replaced()
                await one.told("its disk hangs; check the disk and its mount")
            await one.holds(one.bad, token)
            await one.well()


async def test_a_command_that_fails_is_told_without_what_it_read(tmp_path: Path):
    command = ["sh", "-c", 'cat "$KAKAOCLOUD_BROKER_FILE"; exit 3']
    async with house(tmp_path, {"path": str(tmp_path / "t"), "on_change": command}) as one:

        async def failed() -> list[dict[str, Any]]:
            return one.daemon.events("on_change_failed")

        (event,) = await until(failed, SOON, "the command has failed")
        assert event["said"] == "***"
        run = (await one.files())[str(one.bad)]["on_change"]
        assert (run["exit_code"], run["running"]) == (3, False)
        assert "exited with 3" in run["detail"]
        assert await one.token() not in json.dumps(await one.files())
