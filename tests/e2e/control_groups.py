"""Control groups named as systemd names those of its units, where this host lets root make some."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from broker.callers.units import Hierarchy, lodging, our_hierarchy


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
    """Where the hierarchy is mounted in which the broker looks for units."""
    if our_hierarchy() is Hierarchy.UNIFIED:
        return Path("/sys/fs/cgroup")
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    named = (where for _, where, _, words, *_ in mounts if "name=systemd" in words.split(","))
    return next(map(Path, named), None)


def _is_seen(group: Path, names: tuple[str, ...]) -> bool:
    """Whether a process there is seen in that unit: a host may forbid it, or show another path to it."""
    script = 'echo 0 >"$1" && cat /proc/self/cgroup'
    command = ["sh", "-c", script, "sh", str(group / "cgroup.procs")]
    played = subprocess.run(command, check=False, capture_output=True, text=True, timeout=10)
    return not played.returncode and lodging(played.stdout, our_hierarchy()).unit == names[-1]
