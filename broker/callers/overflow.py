"""The uid that may stand for anybody: how the kernel shows users whom our user namespace does not map."""

import contextlib
from pathlib import Path

_ALL_USERS = ["0", "0", "4294967295"]
_USUAL_OVERFLOW_UID = 65534


def ambiguous_uid(proc: Path = Path("/proc")) -> int | None:
    """The uid that may stand for any user whom our user namespace does not map; None where it maps all."""
    with contextlib.suppress(OSError):
        if (proc / "self/uid_map").read_text().split() == _ALL_USERS:
            return None
    try:
        return int((proc / "sys/kernel/overflowuid").read_text())
    except (OSError, ValueError):
        return _USUAL_OVERFLOW_UID
