"""Control groups named as systemd names those of its units, where this host lets root make some."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from broker.callers.units import lodging


@contextmanager
def control_group(*names: str) -> Iterator[Path | None]:
    """One below the other from the root on, such as `system.slice`, `x.service`; None where it cannot be had."""
    root = _root()
    made: list[Path] = []
    try:
        group = root and _made(root, names, made)
        yield group if group and _is_seen(group, names) else None
    finally:
        for path in reversed(made):
            path.rmdir()


def _made(root: Path, names: tuple[str, ...], made: list[Path]) -> Path | None:
    path = root
    for name in names:
        path /= name
        try:
            path.mkdir()
        except FileExistsError:
            continue
        except OSError:
            return None
        made.append(path)
    return path


def _root() -> Path | None:
    """Where systemd's hierarchy is mounted: that of its name with cgroup v1, else the only one."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    named = [
        where
        for _, where, kind, words, *_ in mounts
        if kind == "cgroup" and "name=systemd" in words.split(",")
    ]
    only = [where for _, where, kind, *_ in mounts if kind == "cgroup2"]
    return next((Path(where) for where in (*named, *only)), None)


def _is_seen(group: Path, names: tuple[str, ...]) -> bool:
    """Whether a process there is seen in that unit: a host may forbid it, or show another path to it."""
    script = 'echo 0 >"$1" && cat /proc/self/cgroup'
    command = ["sh", "-c", script, "sh", str(group / "cgroup.procs")]
    played = subprocess.run(command, check=False, capture_output=True, text=True, timeout=10)
    return not played.returncode and lodging(played.stdout).unit == names[-1]
