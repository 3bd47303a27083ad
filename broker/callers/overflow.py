"""The uid and the gid that may stand for anybody: how the kernel shows whom our user namespace does not map.

In a namespace that maps everybody, such as the host's own, that number is the user or group `nobody` and counts as any
other.
"""

import contextlib
from pathlib import Path

_EVERYBODY = ["0", "0", "4294967295"]
_USUAL_OVERFLOW = 65534


def ambiguous_uid(proc: Path = Path("/proc")) -> int | None:
    """The uid that may stand for any user whom our user namespace does not map; None where it maps all."""
    return _ambiguous(proc / "self/uid_map", proc / "sys/kernel/overflowuid")


def ambiguous_gid(proc: Path = Path("/proc")) -> int | None:
    """The gid that may stand for any group that our user namespace does not map; None where it maps all."""
    return _ambiguous(proc / "self/gid_map", proc / "sys/kernel/overflowgid")


def _ambiguous(own_map: Path, overflow: Path) -> int | None:
    """What cannot be read is taken for a namespace that lacks some, with the usual number."""
    with contextlib.suppress(OSError):
        if own_map.read_text().split() == _EVERYBODY:
            return None
    try:
        return int(overflow.read_text())
    except (OSError, ValueError):
        return _USUAL_OVERFLOW
