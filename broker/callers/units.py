"""Where a process lives: the systemd unit and the container that its control group names.

- Only what the system's own manager named counts: the slices from the root on and the first unit below them. What is
  below that unit is named by whoever was given it, as each user's own manager names its services.
- It counts in that hierarchy alone in which the manager names groups. Others may be there beside it, as one of cgroup v1 for
  old containers, and be anybody's.
- A container without a slice (`/docker/ID/...`) is in no unit of the system, whatever it calls its own groups.
- A group that is not below our own root of control groups (`/../...`) is not one whose names we know.
"""

import re
from collections.abc import Iterator
from enum import Enum
from functools import cache, lru_cache
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

_SLICE = ".slice"
_UNITS = (".service", ".scope")
_CONTAINER = re.compile(r"(?:.*[-.:])?([0-9a-f]{64})(?:\.scope)?")
_MOUNTED = "/sys/fs/cgroup"


class Hierarchy(Enum):
    """The one in which systemd names groups; each is a line of `/proc/PID/cgroup`."""

    UNIFIED = re.compile(r"^0::(/.*)$", re.MULTILINE)
    NAMED = re.compile(r"^[0-9]+:name=systemd:(/.*)$", re.MULTILINE)


def hierarchy(mounts: str) -> Hierarchy:
    """The one of a machine on which this is mounted, as `/proc/self/mountinfo` has it; systemd looks at the same place.

    Where cgroup v2 is mounted beside v1, systemd keeps both alike, but container engines do not: then v1 tells.
    """
    kind = ""
    for line in mounts.split("\n"):
        place, dash, device = line.partition(" - ")
        if dash and place.split(" ")[4] == _MOUNTED:
            kind = device.split(" ")[0]  # what was mounted last lies above
    return Hierarchy.UNIFIED if kind == "cgroup2" else Hierarchy.NAMED


@cache
def our_hierarchy() -> Hierarchy:
    """The one of this machine. Raises OSError."""
    return hierarchy(Path("/proc/self/mountinfo").read_text(errors="surrogateescape"))


class Lodging(NamedTuple):
    """Where a process lives, as far as it can be told."""

    unit: str | None = None
    slices: frozenset[str] = frozenset()
    container: str | None = None


# Many processes live in one group, and what it is called says the same of all of them.
@lru_cache(maxsize=256)
def lodging(groups: str, of: Hierarchy) -> Lodging:
    """What `/proc/PID/cgroup` says; nothing where it says nothing that counts."""
    found = of.value.search(groups)
    parts = found[1].split("/")[1:] if found else []
    if not parts or ".." in parts:
        return Lodging()
    slices = list(_slices(parts))
    below = parts[len(slices)] if len(slices) < len(parts) else ""
    ids = [match[1] for part in parts if (match := _CONTAINER.fullmatch(part))]
    return Lodging(
        _unescaped(below) if below.endswith(_UNITS) else None, frozenset(slices), ids[-1] if ids else None
    )


def _slices(parts: list[str]) -> Iterator[str]:
    """Those at the beginning: of `a-b.slice` systemd makes `a.slice/a-b.slice`, and who made another order is not systemd."""
    for above, part in pairwise(["", *parts]):
        parent = part.removesuffix(_SLICE).rpartition("-")[0]
        if not part.endswith(_SLICE) or (above.removesuffix(_SLICE) if above else "") != parent:
            return
        yield part


def _unescaped(name: str) -> str:
    """A unit's name; systemd puts `_` before those that the kernel's own files could be called."""
    return name.removeprefix("_")
