"""The audit trail of a real broker, whose other end is closed, stalled or full: tokens are served, and the loss is told."""

import asyncio
import fcntl
import json
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.callers.test_tcp_namespaces import can_unshare
from tests.contracts.fake_world import FakeWorld
from tests.e2e import keys
from tests.e2e.asking import needs_root
from tests.e2e.conftest import Figures
from tests.e2e.daemon import Daemon
from tests.e2e.waiting import until

pytestmark = pytest.mark.e2e

SOON = 20.0  # seconds
# A broker whose loop an outlet holds up would be late by the outlet's whole patience, five seconds.
FLAT = 2.0


@asynccontextmanager
async def audited(folder: Path, *prefix: str, audit: str = "stdout") -> AsyncIterator[Daemon]:
    """A broker with a token for the identity `default`; `prefix` puts something at the other end of its stdout."""
    async with FakeWorld.serving() as world:
        key = keys.directory(folder / "key", await world.add_key(await world.add_user()))
        daemon = Daemon(
            folder / "b",
            iam={"url": world.url},
            identities={"default": {"keys": [key]}},
            prefix=prefix,
            audit=audit,
        )
        async with daemon:
            assert (await daemon.client.token(wait=10)).status == 200
            yield daemon


async def refused(daemon: Daemon) -> None:
    """A second kind of line."""
    assert (await daemon.client.get("/v1/identities/no-such/token")).status == 403


async def metric(daemon: Daemon, name: str) -> float:
    text = await daemon.client.text("/metrics")
    return next(float(line.split()[1]) for line in text.splitlines() if line.startswith(f"{name} "))


async def in_trouble(daemon: Daemon) -> dict[str, Any]:
    """What is told once lines are lost; meanwhile, and then, tokens are served."""
    slowest = 0.0

    async def told() -> bool:
        nonlocal slowest
        answer = await daemon.client.token(wait=0)
        assert answer.status == 200
        slowest = max(slowest, answer.seconds)
        codes: list[str] = (await daemon.client.get("/readyz/default")).body["degraded"]
        return codes == ["audit_failed"]

    await until(told, SOON, "the audit's trouble is told")
    assert (await daemon.client.get("/readyz")).status == 200
    assert slowest < FLAT
    assert await metric(daemon, "broker_loop_lag_seconds") < FLAT
    lost = await metric(daemon, "broker_audit_lost_total")
    assert lost >= 1
    failed = await until(lambda: _event(daemon, "audit_failed"), SOON, "the log has it")
    return {"slowest_token": slowest, "lost": lost, "detail": failed["detail"]}


async def _event(daemon: Daemon, name: str) -> dict[str, Any] | None:
    return next(iter(daemon.events(name)), None)


async def test_a_pipe_whose_reader_has_ended(tmp_path: Path, figures: Figures) -> None:
    """Rule: `broker run | head -1` serves on; the one line that was read is whole."""
    first, fifo = tmp_path / "first", tmp_path / "fifo"
    os.mkfifo(fifo)
    script = f'head -n 1 <{fifo} >{first} & exec "$@" >{fifo}'
    async with audited(tmp_path, "sh", "-c", script, "sh") as daemon:

        async def read() -> bool:
            return first.exists() and first.stat().st_size > 0

        await until(read, SOON, "head has its line")
        assert json.loads(first.read_text())["event"] == "token"
        await refused(daemon)
        told = await in_trouble(daemon)
        assert "its reader has ended" in told["detail"]
    assert daemon.events("audit_failed")[-1]["lost"] >= 1
    figures(**told)


async def test_a_pipe_that_nobody_reads(tmp_path: Path, figures: Figures) -> None:
    """Rule: a reader that never reads holds up neither a token nor the end."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    read = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    fcntl.fcntl(read, fcntl.F_SETPIPE_SZ, 4096)  # one line fills it
    async with audited(tmp_path, "sh", "-c", f'exec "$@" >{fifo}', "sh") as daemon:
        await refused(daemon)
        told = await in_trouble(daemon)
        assert "its reader does not read on" in told["detail"]
        began = asyncio.get_running_loop().time()
    told["seconds_to_end"] = asyncio.get_running_loop().time() - began
    assert told["seconds_to_end"] < 10
    os.close(read)
    figures(**told)


async def test_a_stdout_on_a_disk_that_is_full(tmp_path: Path, figures: Figures) -> None:
    async with audited(tmp_path, "sh", "-c", 'exec "$@" >/dev/full', "sh") as daemon:
        told = await in_trouble(daemon)
        assert "no space left on device" in told["detail"]
    figures(**told)


@needs_root
@pytest.mark.skipif(not shutil.which("nsenter"), reason="needs nsenter to give the broker a small disk")
async def test_a_file_on_a_disk_that_is_full_until_there_is_room(tmp_path: Path, figures: Figures) -> None:
    """Rule: when there is room again, the trail goes on by itself and says what is missing."""
    if not can_unshare("--mount"):
        pytest.skip("this host forbids new mount namespaces")
    disk = tmp_path / "disk"
    disk.mkdir()
    script = (
        f"mount -t tmpfs -o size=64k none {disk} && head -c 64K /dev/zero >{disk}/other; echo here; exec cat"
    )
    pipe = asyncio.subprocess.PIPE
    quiet = asyncio.subprocess.DEVNULL
    holder = await asyncio.create_subprocess_exec(
        *("unshare", "--mount", "sh", "-c", script), stdin=pipe, stdout=pipe, stderr=quiet
    )
    assert holder.stdout
    assert await asyncio.wait_for(holder.stdout.readline(), SOON) == b"here\n"
    inside = ("nsenter", f"--target={holder.pid}", "--mount")
    try:
        async with audited(tmp_path, *inside, audit=f"{disk}/audit.log") as daemon:
            told = await in_trouble(daemon)
            assert "no space left on device" in told["detail"]
            assert await _output(*inside, "rm", f"{disk}/other") == b""
            recovered = await until(lambda: _event(daemon, "audit_recovered"), SOON, "there is room again")
            await refused(daemon)
        lines = [
            json.loads(line) for line in (await _output(*inside, "cat", f"{disk}/audit.log")).splitlines()
        ]
    finally:
        holder.kill()
        await holder.communicate()
    assert lines[0]["event"] == "lost"
    assert lines[0]["lines"] == told["lost"] == recovered["lost"]
    assert "refusal" in [line["event"] for line in lines]
    figures(**told)


async def _output(*command: str) -> bytes:
    child = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    out, _ = await asyncio.wait_for(child.communicate(), SOON)
    assert child.returncode == 0
    return out
