"""Token files of a whole broker: written, told of, taken over by a reload, and gone at the end."""

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from broker.app import running
from broker.clock import BootClock
from broker.fakeiam.server import FakeIam
from broker.identity.sources import Sources
from broker.sinks import attempts, disk
from broker.sinks.token_file import TokenFile
from tests.app.test_reload import House, house
from tests.app.whole import get, until

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")


async def token(one: House, name: str = "default") -> str:
    _, answer = await one.get(f"/v1/identities/{name}/token")
    return str(answer["token"])


async def state(one: House, name: str = "default") -> dict[str, Any]:
    _, answer = await one.get(f"/v1/identities/{name}")
    return answer


async def holds(path: Path, content: str) -> None:
    await until(lambda: path.exists() and path.read_text() == content)


async def test_files_are_written_told_of_and_removed_at_the_end(tmp_path: Path):
    path, kept = tmp_path / "t", tmp_path / "kept"
    async with house(tmp_path) as one:
        await one.get("/v1/token")
        one.tables["files"] = [
            {"path": str(path), "format": "header", "on_change": ["sh", "-c", f"echo ran > {tmp_path}/ran"]},
            {"path": str(kept), "keep": True},
        ]
        await one.reload()
        await holds(path, f"X-Auth-Token: {await token(one)}\n")
        await holds(tmp_path / "ran", "ran\n")
        await until(kept.exists)
        await until_state(one, lambda files: files[0]["on_change"]["at"])
        files = (await state(one))["files"]
        assert [(file["path"], file["state"], file["detail"]) for file in files] == [
            (str(path), "current", None),
            (str(kept), "current", None),
        ]
        assert files[0]["written_at"].endswith("Z")
        assert (files[0]["on_change"]["exit_code"], files[0]["on_change"]["detail"]) == (0, None)
        assert files[1]["on_change"] is None
        last = await token(one)
        assert last not in json.dumps(await state(one))
    assert not path.exists()
    assert kept.read_text() == last


async def until_state(one: House, condition: Callable[[list[dict[str, Any]]], object]) -> None:
    while not condition((await state(one))["files"]):
        pass  # each look is a round of the loop


async def test_each_new_token_is_written_and_a_dead_one_leaves_at_once(tmp_path: Path):
    async with house(tmp_path) as one:
        one.tables["files"] = [{"path": str(tmp_path / "t")}]
        await one.reload()
        first = await token(one)
        await holds(tmp_path / "t", first)
        keeper = one.broker.desk.keyring["default"]
        await until(lambda: keeper.lease.watch.evidence)
        one.iam.tokens.revoke(first)
        keeper.woke()
        await until(lambda: keeper.lease.held is not None and keeper.lease.held.token.value.reveal() != first)
        await holds(tmp_path / "t", await token(one))


async def test_a_reload_changes_moves_and_removes_them_and_those_of_identities_that_go(tmp_path: Path):
    async with house(tmp_path) as one:
        one.identities["second"] = one.identity("second")
        one.tables["files"] = [
            {"path": str(tmp_path / "a")},
            {"path": str(tmp_path / "b"), "identity": "second", "keep": True},
        ]
        await one.reload()
        await until(lambda: (tmp_path / "a").exists() and (tmp_path / "b").exists())
        one.tables["files"] = [{"path": str(tmp_path / "a"), "mode": "0640", "format": "env"}]
        del one.identities["second"]
        await one.reload()
        await until(lambda: not (tmp_path / "b").exists())
        await holds(tmp_path / "a", f"export OS_TOKEN='{await token(one)}'\n")
        assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640
        one.tables["files"] = [{"path": str(tmp_path / "c")}]
        await one.reload()
        await until(lambda: (tmp_path / "c").exists() and not (tmp_path / "a").exists())
        one.tables["files"] = [{"path": str(tmp_path / "a")}]
        await one.reload()
        await until(lambda: (tmp_path / "a").exists() and not (tmp_path / "c").exists())


async def test_a_file_that_is_named_no_more_is_removed_however_often_that_has_to_be_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Its token would be found dead, or end, without anybody to take it out."""
    monkeypatch.setattr(attempts, "_FIRST", 0.01)
    async with house(tmp_path) as one:
        one.identities["second"] = one.identity("second")
        one.tables["files"] = [
            {"path": str(tmp_path / "a")},
            {"path": str(tmp_path / "b"), "identity": "second"},
        ]
        await one.reload()
        await until(lambda: (tmp_path / "a").exists() and (tmp_path / "b").exists())
        tries: list[Path] = []

        def stuck(file: TokenFile, known: object) -> bool:
            del known
            tries.append(file.path)
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))

        with monkeypatch.context() as patched:
            patched.setattr(disk, "remove", stuck)
            one.tables["files"] = []
            del one.identities["second"]
            await one.reload()
            await until(lambda: all(tries.count(tmp_path / name) > 2 for name in "ab"))
            one.tables["files"] = [{"path": str(tmp_path / "a"), "format": "header"}]
            await one.reload()
            await holds(tmp_path / "a", f"X-Auth-Token: {await token(one)}\n")
        await until(lambda: not (tmp_path / "b").exists())
        await holds(tmp_path / "a", f"X-Auth-Token: {await token(one)}\n")


async def test_a_broken_reload_leaves_the_files(tmp_path: Path):
    async with house(tmp_path) as one:
        one.tables["files"] = [{"path": str(tmp_path / "a")}]
        await one.reload()
        await holds(tmp_path / "a", await token(one))
        one.identities["broken"] = {"keys": [str(tmp_path / "nowhere")]}
        one.tables["files"] = []
        await one.reload()
        assert (tmp_path / "a").exists()
        assert [file["state"] for file in (await state(one))["files"]] == ["current"]


async def test_what_fails_is_one_reason_with_a_sentence_and_touches_nothing_else(tmp_path: Path):
    (tmp_path / "template").write_text("{{ nothing }}")
    (tmp_path / "public").write_text("of everybody")
    (tmp_path / "public").chmod(0o644)
    (tmp_path / "folder").mkdir()
    bad: dict[str, dict[str, object]] = {
        str(tmp_path / "nowhere/t"): {},
        str(tmp_path / "x"): {"template": str(tmp_path / "template")},
        str(tmp_path / "public"): {},
        str(tmp_path / "folder"): {},
    }
    async with house(tmp_path) as one:
        one.identities["second"] = one.identity("second")
        one.tables["files"] = [
            {"path": str(tmp_path / "good"), "identity": "second"},
            {"path": str(tmp_path / "beside"), "identity": "default"},
            *({"path": path, "identity": "default", **more} for path, more in bad.items()),
        ]
        await one.reload()
        await holds(tmp_path / "good", await token(one, "second"))
        await holds(tmp_path / "beside", await token(one))
        await until(lambda: sum("sink" in str(one.broker.desk.keyring["default"].ailments()) for _ in "x"))
        while len([file for file in (await state(one))["files"] if file["detail"]]) < len(bad):
            pass  # each look is a round of the loop
        told = await state(one)
        assert told["degraded"] == ["sink_failed"]
        assert told["reasons"][0]["detail"].endswith(" (and 3 more, see `files`)")
        details = {file["path"]: file["detail"] for file in told["files"] if file["detail"]}
        assert details.keys() == bad.keys()
        assert all("; " in detail for detail in details.values())
        assert (await state(one, "second"))["degraded"] == []
        status, ready = await one.get("/readyz")
        assert status == 200, "tokens are served on"
        assert ready["identities"]["default"]["degraded"] == ["sink_failed"]
        assert (tmp_path / "public").read_text() == "of everybody"


@AS_ROOT
async def test_a_file_has_its_owner_and_group(tmp_path: Path):
    async with house(tmp_path) as one:
        one.tables["files"] = [{"path": str(tmp_path / "t"), "owner": 12345, "group": 54321, "mode": "0440"}]
        await one.reload()
        await holds(tmp_path / "t", await token(one))
        status = (tmp_path / "t").stat()
        assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (12345, 54321, 0o440)


async def test_a_restart_leaves_a_file_that_holds_the_token_of_now_as_it_is(tmp_path: Path):
    """It comes from the sealed cache, without IAM; a reader sees no change."""
    iam = FakeIam()
    async with iam.serve() as url:
        one = House(tmp_path, iam, url)
        one.tables["files"] = [{"path": str(tmp_path / "t"), "keep": True}]
        async with running(one.settings(), Sources({}), BootClock(), one.settings):
            await until((tmp_path / "t").exists)
        before = (tmp_path / "t").stat()
        async with running(one.settings(), Sources({}), BootClock(), one.settings):
            assert (await get(tmp_path / "s", "/v1/identities/default"))[1]["files"]
            while (await get(tmp_path / "s", "/v1/identities/default"))[1]["files"][0]["state"] != "current":
                pass  # each look is a round of the loop
            assert (tmp_path / "t").stat() == before
    assert iam.counters.issue_requests == 1


async def test_what_an_earlier_run_left_is_gone_where_its_token_is_not_known(tmp_path: Path):
    """The cache may be lost, and IAM away: then nothing says how long the token lives."""
    path = tmp_path / "t"
    path.touch(0o600)
    path.write_text("of an earlier run")
    iam = FakeIam()
    async with iam.serve() as url:
        iam.faults.add("503")
        one = House(tmp_path, iam, url)
        one.tables["files"] = [{"path": str(path)}]
        async with running(one.settings(), Sources({}), BootClock(), one.settings):
            await until(lambda: not path.exists())
