"""Memory, environment and files of the process are its own: no core file, no debugger of the same user, no open file.

What another process of the same user gets to see of a whole broker stands in tests/e2e/test_memory.py.
"""

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from broker.fakeiam.server import FakeIam
from tests.app.daemon import daemon
from tests.app.whole import get

LOOK = """
import ctypes, resource
from broker.hardening import close_memory
libc = ctypes.CDLL(None)
print(libc.prctl(3, 0, 0, 0, 0))
close_memory()
print(libc.prctl(3, 0, 0, 0, 0), *resource.getrlimit(resource.RLIMIT_CORE))
close_memory()
"""
ALLOW = """
import resource
from broker.hardening import allow_connections
resource.setrlimit(resource.RLIMIT_NOFILE, (256, 4096))
for most in (64, 1_000_000):
    allow_connections(most)
    print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
resource.setrlimit = lambda _, limits: print(*limits)
for hard in (100_000, resource.RLIM_INFINITY):
    resource.getrlimit = lambda _: (1024, hard)
    allow_connections(4096)
    allow_connections(40_000)
"""
HIDE = """
import os
from pathlib import Path
from subprocess import check_output
from broker.hardening import close_environment
block = lambda: Path("/proc/self/environ").read_bytes()
before = block()
close_environment()
after = block()
child = check_output(["env"])
print(before.count(b"canary"), after.count(b"canary"), child.count(b"canary"))
print(sum(value.count("canary") for value in os.environ.values()), len(before) == len(after), b"PLAIN=stays" in after)
"""
HOT = {
    "HTTPS_PROXY": "http://robot:canary@proxy.example:3128",
    "https_proxy": "http://canary@proxy.example:3128",
    "KAKAOCLOUD_BROKER_SECRET": "canary",
    "OS_PASSWORD": "canary",
    "OS_TOKEN": "canary",
    "NOTE": "gAAAAABcanary",
    "OTHER": "rHMkBT1rYp-KjI4_uGThE38YalXINX5erBxPLudZ0EMZXB0H14_IMGjcPlYwgRruas0VLLQ4fQ3oI2EzcanaryQ",
}


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def status(pid: int) -> str:
    return Path(f"/proc/{pid}/status").read_text()


def modes(folder: Path) -> dict[Path, int]:
    return {path: stat.S_IMODE(path.lstat().st_mode) for path in folder.rglob("*")}


def python(program: str, **environ: str) -> list[str]:
    """What a program of its own prints."""
    run = subprocess.run(
        [sys.executable, "-c", program],
        check=True,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(Path(__file__).parents[2]), "PATH": "/usr/bin:/bin", **environ},
    )
    return run.stdout.splitlines()


@pytest.mark.e2e
def test_the_process_is_not_dumpable_and_its_core_size_is_0_for_good():
    assert python(LOOK) == ["1", "0 0 0"]


@pytest.mark.e2e
def test_the_process_is_closed_before_the_daemon_is_loaded():
    """Rule: until then others of its user may look in, and loading takes most of a second."""
    assert python(
        "import sys, broker.cli.run; print(sorted({'aiohttp', 'asyncio', 'pydantic'} & {*sys.modules}))"
    ) == ["[]"]


@pytest.mark.e2e
def test_what_looks_like_a_secret_leaves_the_block_and_nothing_else():
    """Rule: the kernel shows none of it; the process, and a child, have it on, or no proxy would work."""
    count = len(HOT)
    assert python(HIDE, **HOT, PLAIN="stays") == [f"{count} 0 {count}", f"{count} True True"]


@pytest.mark.e2e
async def test_files_of_a_broker_are_its_own_whatever_umask_it_was_started_with(tmp_path: Path):
    """Rule: the socket has its own mode and its folder can be entered; the rest is nobody else's."""
    iam = FakeIam()
    socket = tmp_path / "run" / "made" / "s"
    own = {
        "KAKAOCLOUD_APPLICATION_CREDENTIAL_ID": iam.key.id,
        "KAKAOCLOUD_APPLICATION_CREDENTIAL_SECRET": iam.key.secret,
        "KAKAOCLOUD_BROKER_LOG__AUDIT": str(tmp_path / "trail"),
    }
    async with iam.serve() as url:
        for mask in (0o000, 0o777):
            with umask(mask):
                async with daemon(socket, **own, KAKAOCLOUD_BROKER_IAM__URL=url) as running:
                    assert (await get(socket, "/v1/token"))[0] == 200
                    assert "Umask:\t0077\n" in status(running.process.pid)
                    found = modes(tmp_path)
                    assert found.pop(socket) == 0o666
                    await running.stop()
    assert {path: mode for path, mode in found.items() if mode & 0o077} == {
        tmp_path / "run": 0o755,
        tmp_path / "run" / "made": 0o755,
    }


def test_the_limit_on_open_files_leaves_room_for_the_connections_that_are_set():
    """Rule: as far as the host allows; with the number that is set, so that more than the usual can be had."""
    told = subprocess.run([sys.executable, "-c", ALLOW], capture_output=True, text=True, check=True).stdout
    most = ["16384 100000", "42048 100000", "16384 -1", "42048 -1"]
    assert told.splitlines() == ["4096", "4096", *most]
