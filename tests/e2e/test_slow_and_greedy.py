"""Callers who keep thousands of connections, send a byte a second, or never read: other callers hardly notice.

- The one who is measured, and those who besiege, are processes of their own; quiet and siege take turns in one run.
- What is compared is the median, over the rounds, of the 99th percentile of a round. Below FLOOR nothing is judged: there
  the machine is measured and not the broker.
"""

import asyncio
import json
import os
import re
import resource
import statistics
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.callers.folders import open_folder
from tests.contracts.fake_world import FakeWorld
from tests.e2e import greedy, keys
from tests.e2e.conftest import Figures
from tests.e2e.daemon import Daemon
from tests.e2e.measured import one_of
from tests.e2e.waiting import until

FILES = 8192  # descriptors of the broker
ROOT = os.geteuid() == 0
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.alone,
    pytest.mark.skipif(
        resource.getrlimit(resource.RLIMIT_NOFILE)[1] < FILES, reason=f"needs {FILES} open files"
    ),
]

ROUNDS = 5
ASKED = 500  # in each of four ways, in each round
FACTOR = 3.0
SEEN = 8  # descriptors of callers who were seen lately, see broker/callers/recent.py
FLOOR = 0.05  # seconds
# By role, uid and number. All are the owner's where the test cannot be others, who then has half of all places.
SIEGE = (
    ("idle", 50001, 1000 if ROOT else 600),
    ("idle", 50002, 1000 if ROOT else 600),
    ("drip", 50003, 500),
    ("deaf", 50004, 8),
)
ENOUGH = 0.99 * sum(count for *_, count in SIEGE)
SAME = ("once-drip", 50005, 8), ("once-deaf", 50006, 4)
MEGABYTES = 64  # that a siege may cost
MORE = 8  # that later ones may cost beyond the first
LOG = 5000  # bytes
LAG = 1.0  # seconds; thousands are closed at once, on a machine that is busy with other tests


class Process:
    """One of `greedy`, or of `flooding`."""

    def __init__(self, child: asyncio.subprocess.Process) -> None:
        self._child = child

    async def ask(self, what: str = "go") -> Any:  # noqa: ANN401  (JSON)
        """What it says when it is told this."""
        assert self._child.stdin
        assert self._child.stdout
        self._child.stdin.write(f"{what}\n".encode())
        return json.loads(await asyncio.wait_for(self._child.stdout.readline(), 60))


@asynccontextmanager
async def process(
    daemon: Daemon, role: str, uid: int, count: int, script: str = greedy.__file__
) -> AsyncIterator[Process]:
    port, pipe = daemon.tcp[0].rpartition(":")[2], asyncio.subprocess.PIPE
    words = (
        sys.executable,
        "-I",
        "-S",
        script,
        role,
        str(daemon.socket),
        port,
        str(uid),
        str(count),
    )
    child = await asyncio.create_subprocess_exec(*words, stdin=pipe, stdout=pipe, limit=2**24)
    try:
        yield Process(child)
    finally:
        if child.returncode is None:
            child.kill()
        await child.communicate()


@asynccontextmanager
async def running() -> AsyncIterator[Daemon]:
    """A broker whose tokens are for all of them: strangers would be held down, see `test_strangers`."""
    with open_folder() as folder:
        async with FakeWorld.serving() as world:
            key = await world.add_key(await world.add_user())
            daemon = Daemon(
                folder / "b",
                iam={"url": world.url},
                identities={"default": {"keys": [keys.directory(folder / "key", key)]}},
                listen=[{"tcp": "127.0.0.1:0"}],
                grants=[{"identity": "default", "users": sorted({os.getuid(), *range(50001, 50007)})}],
                own={"KAKAOCLOUD_BROKER_LOG__LEVEL": "info"},
                prefix=("sh", "-c", f'ulimit -n {FILES}; exec "$@"', "sh"),
            )
            async with daemon:
                assert (await daemon.client.token(wait=10)).status == 200
                yield daemon


def memory(daemon: Daemon) -> float:
    """Megabytes."""
    status = Path(f"/proc/{daemon.pid}/status").read_text()
    return int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1024


def descriptors(daemon: Daemon) -> int:
    return len(list(Path(f"/proc/{daemon.pid}/fd").iterdir()))


async def alone(daemon: Daemon, most: int) -> None:
    """Wait until the broker has seen that the others are gone."""

    async def gone() -> bool:
        return descriptors(daemon) <= most + SEEN

    await until(gone, 10, "all connections are closed")


async def lag(daemon: Daemon) -> float:
    """The longest that the broker's loop was late in the last minute, in seconds."""
    metrics = await daemon.client.text("/metrics")
    return float(re.findall(r"^broker_loop_lag_seconds (\S+)", metrics, re.MULTILINE)[0])


def judged(took: dict[str, list[float]]) -> dict[str, tuple[float, float]]:
    """Median and 99th percentile, on kept connections and on new ones."""
    both = {kind: sorted(took[f"{kind} by socket"] + took[f"{kind} by tcp"]) for kind in ("kept", "new")}
    return {kind: (times[len(times) // 2], times[len(times) * 99 // 100]) for kind, times in both.items()}


Rounds = list[dict[str, tuple[float, float]]]


async def take_turns(daemon: Daemon) -> tuple[Rounds, Rounds, list[float]]:
    """Rounds of quiet, of siege, and the memory at each siege's end."""
    quiet: Rounds = []
    siege: Rounds = []
    used: list[float] = []
    async with AsyncExitStack() as stack:
        besiegers = [await stack.enter_async_context(process(daemon, *each)) for each in SIEGE]
        usual = await stack.enter_async_context(process(daemon, "ask", os.getuid(), ASKED))
        await usual.ask()  # what is done once is done
        before = descriptors(daemon)
        for _ in range(ROUNDS):
            quiet.append(judged(await usual.ask()))
            states = await asyncio.gather(*(one.ask("on") for one in besiegers))
            assert sum(state["held"] for state in states) >= ENOUGH
            assert descriptors(daemon) > before + ENOUGH
            siege.append(judged(await usual.ask()))
            used.append(memory(daemon))
            await asyncio.gather(*(one.ask("off") for one in besiegers))
            await alone(daemon, before + 20)
    return quiet, siege, used


@one_of(3)
async def test_slow_and_greedy_callers_are_hardly_noticed_by_others(figures: Figures) -> None:
    """Rule: p99 of other callers below three times the quiet one; memory bounded; who drips or never reads is let go."""
    async with running() as daemon:
        before = memory(daemon)
        async with AsyncExitStack() as stack:
            slow, deaf = [await stack.enter_async_context(process(daemon, *each)) for each in SAME]
            await asyncio.gather(slow.ask("on"), deaf.ask("on"))
            began = time.monotonic()
            quiet, siege, used = await take_turns(daemon)
            await asyncio.sleep(
                max(0.0, began + 13 - time.monotonic())
            )  # the time that the broker gives them
            dripped, heard = await slow.ask(), await deaf.ask()
            late = await lag(daemon)
        for kind in ("kept", "new"):
            for place, name in enumerate(("p50", "p99")):
                calm = statistics.median(one[kind][place] for one in quiet)
                busy = statistics.median(one[kind][place] for one in siege)
                figures(**{f"{kind}_{name}_quiet_ms": calm * 1000, f"{kind}_{name}_siege_ms": busy * 1000})
                assert busy < max(FACTOR * calm, FLOOR), f"{kind} {name}: {quiet} {siege}"
        figures(rss_mb=before, rss_grown_mb=[round(one - before, 1) for one in used], loop_lag_seconds=late)
        assert used[0] - before < MEGABYTES
        assert used[-1] - used[0] < MORE
        assert late < LAG
        assert [told for _, told in dripped["ended"]] == ["HTTP/1.1 408"] * 8
        assert all(9 < seconds < 13 for seconds, _ in dripped["ended"])
        assert (dripped["held"], heard["held"], len(heard["ended"])) == (0, 0, 4)
        assert all(9 < seconds < 13 for seconds, _ in heard["ended"])


@one_of(3)
async def test_ten_thousand_who_connect_and_leave_change_nothing(figures: Figures) -> None:
    """Rule: no memory, no descriptor and no line of the log is left of them, and others are served meanwhile."""
    async with running() as daemon, process(daemon, "ask", os.getuid(), 100) as usual:
        await usual.ask()
        async with process(daemon, "storm", 50001, 2000) as first:
            await first.ask()
        files, before = descriptors(daemon), memory(daemon)
        async with process(daemon, "storm", 50001, 10_000) as storm:
            took, times = await asyncio.gather(storm.ask(), usual.ask())
            figures(storm_seconds=took, others_p99_ms=judged(times)["new"][1] * 1000)
        await alone(daemon, files)
        figures(rss_grown_mb=memory(daemon) - before, loop_lag_seconds=await lag(daemon))
        assert memory(daemon) - before < MORE
        assert await lag(daemon) < LAG
        assert daemon.events("refused") == []
        assert len(daemon.log) < LOG
