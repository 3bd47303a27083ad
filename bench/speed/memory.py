"""How big the broker is: at rest, after load, and for each connection that is open and idle."""

import subprocess
import sys
import time
from collections.abc import Iterator

from bench.speed import goals
from bench.speed.bench import Bench
from bench.speed.contenders import GO, OURS, go
from bench.speed.daemon import broker
from bench.speed.emulator import emulator
from bench.speed.figures import Figure
from bench.speed.generator import Target, Work
from bench.speed.processes import Failed, started
from bench.speed.resident import rss

_LIBRARY = (sys.executable, "-c", "import aiohttp.web, sys; print(flush=True); sys.stdin.read()")
_ROUNDS = 3
_IDLE, _QUICK_IDLE = 10_000, 1_000
_SETTLES = 1.0  # seconds
_AFTER = Work(callers=64, seconds=20.0, warm_up=0.0, most=100_000)


def memory(bench: Bench) -> Iterator[Figure]:
    """All of it."""
    rest, library, after, each = [], [], [], []
    open_connections = _QUICK_IDLE if bench.quick else _IDLE
    with emulator() as iam:
        for _ in range(1 if bench.quick else _ROUNDS):
            # Beside those that are idle there are some that work.
            with broker(bench.new_folder(), iam, connections=open_connections + 500) as up:
                time.sleep(_SETTLES)
                rest.append(rss(up.pid) / 1024)
                library.append(_library())
                bench.load(f"{OURS}, before its memory is read", up.target(), _AFTER)
                time.sleep(_SETTLES)
                after.append(rss(up.pid) / 1024)
                each.append(per_idle(bench, OURS, up.target(), open_connections))
    yield Figure(
        "memory at rest", OURS, "MiB", tuple(rest), "import aiohttp.web", tuple(library), goals.AT_REST
    )
    yield Figure("memory after load", OURS, "MiB", tuple(after), "import aiohttp.web", tuple(library))
    yield from _idle(bench, tuple(each), open_connections)


def _idle(bench: Bench, each: tuple[float, ...], wanted: int) -> Iterator[Figure]:
    name = f"idle connection, {wanted:,}"
    yield Figure(name, OURS, "KiB", each, goal=goals.IDLE_CONNECTION)
    if bench.tools.go_server is not None:
        folder = bench.new_folder()
        folder.mkdir()
        with go(bench.tools.go_server, folder, 600) as its:
            if its.unix is not None:
                yield Figure(name, GO, "KiB", (per_idle(bench, GO, its.unix, wanted),))


def per_idle(bench: Bench, who: str, target: Target, wanted: int) -> float:
    """KiB for each connection that has asked once and stays open."""
    (pid,) = target.pids
    before = rss(pid)
    with bench.generator.idle(target, wanted, seconds=30.0) as idle:
        time.sleep(_SETTLES)
        more = rss(pid) - before
        if idle.still_open() < idle.open:
            bench.faults.append(f"{who}: it closed idle connections before their time")
    if idle.open < wanted:
        bench.skipped.append(
            f"{who}: {wanted:,} idle connections; it lets in {idle.open:,}, which were measured"
        )
    if not idle.open:
        raise Failed(f"{who} lets no connection in")
    return more / idle.open


def _library() -> float:
    """MiB of a Python that has loaded the library and waits."""
    with started(_LIBRARY, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        if child.stdout is None or not child.stdout.readline():
            raise Failed("a Python that imports aiohttp.web did not start")
        return rss(child.pid) / 1024
