"""Where it was measured, and with which versions."""

import os
import platform
from importlib.metadata import version
from pathlib import Path

from bench.speed.processes import Failed, ran
from bench.speed.tools import Tools

_WITHIN = 20.0  # seconds


def machine(found: Tools, how: str) -> dict[str, str]:
    """What stands above the tables."""
    versions = {"aiohttp": version("aiohttp")}
    if found.go_server is not None:
        versions["Go"] = _said([str(found.go_server), "-version"]).removeprefix("go")
    if found.nginx is not None:
        versions["nginx"] = _said([str(found.nginx), "-v"], merged=True).rpartition("/")[2]
    if found.peers is not None:
        code = "from importlib.metadata import version as v; print(v('elhaz'), v('moto'))"
        versions["elhaz"], versions["moto"] = _said([str(found.peers), "-c", code]).split()
    return {
        "machine": f"{os.cpu_count()} x {_processor()}, Linux {platform.release()}",
        "versions": ", ".join(
            f"{name} {number}" for name, number in ({"Python": platform.python_version()} | versions).items()
        ),
        "run": how,
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _said(command: list[str], *, merged: bool = False) -> str:
    try:
        return ran(command, within=_WITHIN, merged=merged).strip()
    except Failed:
        return "?"
