"""`broker doctor` as a process: against a real broker, none, a hanging IAM, a stale socket, and as another user."""

import json
import os
import shutil
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.callers.folders import open_folder
from tests.cli.command import Ended, at, broker, end, start_python
from tests.contracts.fake_world import FakeWorld
from tests.e2e import keys
from tests.e2e.daemon import Daemon, free_port
from tests.e2e.spoken import SPOKEN

pytestmark = pytest.mark.e2e

WHOLE = 15.0  # seconds that it may take, whatever hangs
NOBODY = 65534


@asynccontextmanager
async def world(folder: Path) -> AsyncIterator[tuple[FakeWorld, Daemon]]:
    """An IAM, and a broker that is not started."""
    async with FakeWorld.serving() as served:
        owner = await served.add_user()
        await served.join_project(owner)
        identities = {"default": {"keys": [keys.directory(folder / "key", await served.add_key(owner))]}}
        listen = [{"tcp": f"127.0.0.1:{free_port()}"}]
        yield served, Daemon(folder / "b", iam={"url": served.url}, identities=identities, listen=listen)


def findings(ended: Ended) -> list[dict[str, Any]]:
    SPOKEN.said("broker doctor", ended.out + ended.err)
    assert ended.err == ""
    tree = json.loads(ended.out)
    for level in ("problem", "warning"):
        assert tree[f"{level}s"] == sum(one["level"] == level for one in tree["findings"])
    return list(tree["findings"])


def problems(ended: Ended) -> list[str]:
    return [f"{one['about']}: {one['says']}" for one in findings(ended) if one["level"] == "problem"]


def about(found: list[dict[str, Any]], begin: str) -> list[str]:
    return [one["says"] for one in found if one["about"].startswith(begin)]


async def test_a_broker_that_is_well_and_then_the_same_while_iam_hangs(tmp_path: Path):
    async with world(tmp_path) as (served, daemon), daemon:
        ended = await broker("doctor", "--json", "--config", str(daemon.config))
        assert problems(ended) == []
        found = findings(ended)
        assert ended.code == 0
        assert f"uid {os.getuid()}, pid {daemon.pid}" in about(found, f"socket {daemon.socket}")[0]
        assert f"answers, served by uid {os.getuid()}" in about(found, "port 127.0.0.1")
        assert any(says.startswith("handed to this user in") for says in about(found, "token of default"))
        assert "agrees with IAM's" in about(found, "clock")

        table = await broker("doctor", "--config", str(daemon.config))
        SPOKEN.said("broker doctor", table.out)
        assert table.code == 0
        assert table.out.splitlines()[0].split() == ["ABOUT", "FINDING"]
        assert table.out.splitlines()[-1].startswith("0 problems, ")

        served.iam.faults.add("hang")
        began = time.monotonic()
        ended = await broker("doctor", "--json", "--config", str(daemon.config))
        assert time.monotonic() - began < WHOLE
        assert ended.code == 1
        (told,) = problems(ended)
        assert "did not answer in time" in told
        served.iam.faults.clear()


async def test_no_broker_is_69_and_a_stale_socket_is_told_as_one(tmp_path: Path):
    async with world(tmp_path) as (_, daemon):
        ended = await broker("doctor", "--json", "--config", str(daemon.config))
        assert any("is not there: no broker is running" in told for told in problems(ended))
        assert ended.code == 69
        with socket.socket(socket.AF_UNIX) as gone:
            gone.bind(str(daemon.socket))
        ended = await broker("doctor", "--json", "--config", str(daemon.config))
        assert any("is stale: nobody listens at it" in told for told in problems(ended))
        assert ended.code == 69
        shutil.rmtree(tmp_path / "key")
        ended = await broker("doctor", "--json", "--config", str(daemon.config))
        assert any("/key: does not exist" in told for told in problems(ended))
        assert ended.code == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
async def test_another_user_is_told_what_was_not_seen_and_as_whom_to_run_it():
    with open_folder() as folder:
        async with world(folder) as (_, daemon), daemon:
            daemon.config.chmod(0o644)
            child = await as_nobody("--config", str(daemon.config), **at(daemon.socket))
            found = findings(child)
            assert child.code == 0, problems(child)
            remedies = [one["remedy"] or "" for one in found if one["level"] == "warning"]
            assert any("broker's own user" in remedy for remedy in remedies)
            assert any("was not seen: this user may not read it" in one["says"] for one in found)
            assert any(says.startswith("alive") for says in about(found, "broker"))


async def as_nobody(*args: str, **environ: str) -> Ended:
    """What it says to another user; loaded before, for that user may not enter this environment's folder."""
    program = f"""
import os, sys
import asyncio.runners, encodings.idna, broker.cli.doctor, broker.__main__, broker.cli.main
os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY})
sys.argv[:] = ["broker", "doctor", "--json", *{list(args)!r}]
broker.__main__.main()
"""
    # That user may not write down either what of the code has run.
    own = {"COVERAGE_PROCESS_CONFIG": "", "COVERAGE_PROCESS_START": ""} | environ
    return await end(await start_python(program, **own))
