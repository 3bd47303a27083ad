"""The memory of a running broker: no other process of its user reads it, and it is not written down when it crashes.

Each look is made at a plain process of the same user too: only where that succeeds has the refusal a meaning.
"""

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.callers.folders import open_folder
from tests.contracts.fake_world import FakeWorld
from tests.e2e import keys
from tests.e2e.asking import needs_root
from tests.e2e.conftest import Figures
from tests.e2e.daemon import Daemon

pytestmark = pytest.mark.e2e

SAME_USER = 54321
# By exec, as the kernel closes by itself a process that has changed its user.
AS_USER = ("setpriv", f"--reuid={SAME_USER}", f"--regid={SAME_USER}", "--clear-groups")
# What a debugger of the same user would try; prints what it was let at.
SPY = """
import ctypes, os, sys
pid = int(sys.argv[1])
for name in ("environ", "mem", "maps", "fd", "auxv", "cwd"):
    path = f"/proc/{pid}/{name}"
    try:
        os.listdir(path) if name == "fd" else os.readlink(path) if name == "cwd" else os.close(os.open(path, os.O_RDONLY))
    except PermissionError:
        continue
    print(name)
PTRACE_SEIZE = 0x4206
if ctypes.CDLL(None).ptrace(PTRACE_SEIZE, pid, None, None) == 0:
    print("ptrace")
"""
CRASH = 'ulimit -c unlimited; cd "$0" && exec "$@"'
ABORT = "import os; os.abort()"
needs_setpriv = pytest.mark.skipif(shutil.which("setpriv") is None, reason="there is no setpriv here")


@needs_root
@needs_setpriv
async def test_no_process_of_its_own_user_reads_it(figures: Figures) -> None:
    """Rule: the broker's own user can neither trace it nor open what /proc has of its memory, environment and files."""
    with open_folder() as folder:
        async with FakeWorld.serving() as world, plain_process() as other:
            key = await world.add_key(await world.add_user())
            identities = {"default": {"keys": [keys.directory(folder / "key", key)]}}
            # That user may not write where the run measures what is covered.
            own = {"COVERAGE_PROCESS_CONFIG": "", "COVERAGE_PROCESS_START": ""}
            daemon = Daemon(
                folder / "b", iam={"url": world.url}, identities=identities, prefix=AS_USER, own=own
            )
            give(folder, SAME_USER)
            async with daemon:
                assert (await daemon.client.token(wait=10)).status == 403, (
                    "this is root, whom nobody has granted"
                )
                seen, control = await spied(daemon.pid), await spied(other)
    if not {"environ", "mem", "ptrace"} <= set(control):
        pytest.skip(f"here no process may look into another anyway; into a plain one: {control}")
    assert seen == []
    figures(plain_process=control, broker=seen)


@pytest.mark.parametrize("crash", [signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS])
async def test_a_crash_leaves_no_core(tmp_path: Path, crash: signal.Signals) -> None:
    """Rule: no core file, though the limit allowed one; a fault handler that was asked for shows names of functions alone."""
    in_scratch = ("bash", "-c", CRASH)
    (scratch := tmp_path / "scratch").mkdir()
    control = await asyncio.create_subprocess_exec(*in_scratch, str(tmp_path), sys.executable, "-c", ABORT)
    assert await control.wait() == -signal.SIGABRT
    written = cores(tmp_path)
    async with FakeWorld.serving() as world:
        key = await world.add_key(await world.add_user())
        daemon = Daemon(
            tmp_path / "b",
            iam={"url": world.url},
            own={"PYTHONFAULTHANDLER": "1", **keys.environment(key)},
            prefix=(*in_scratch, str(scratch)),
        )
        async with daemon:
            assert (await daemon.client.token(wait=10)).status == 200
            daemon.send(crash)
            assert await daemon.ended() == -crash
    assert list_of(scratch) == []
    if not written:
        pytest.skip("here a crash leaves no core in the current folder anyway, so nothing was proven")


@asynccontextmanager
async def plain_process() -> AsyncIterator[int]:
    """Something of the same user that takes no care of itself; its pid."""
    process = await asyncio.create_subprocess_exec(*AS_USER, "sleep", "100", cwd="/")
    try:
        yield process.pid
    finally:
        process.kill()
        await process.wait()


async def spied(pid: int) -> Sequence[str]:
    """What a process of the same user is let at."""
    spy = await asyncio.create_subprocess_exec(
        *(*AS_USER, sys.executable, "-c", SPY, str(pid)),
        cwd="/",
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await asyncio.wait_for(spy.communicate(), 20)
    assert spy.returncode == 0
    return out.decode().split()


def cores(folder: Path) -> list[str]:
    """The core files there, which are taken away: each has all that was in a memory."""
    found = list(folder.glob("core*"))
    for path in found:
        path.unlink()
    return [path.name for path in found]


def list_of(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def give(folder: Path, uid: int) -> None:
    """All that is in there belongs to this user."""
    for path in (folder, *folder.rglob("*")):
        os.chown(path, uid, uid)
