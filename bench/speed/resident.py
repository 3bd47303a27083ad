"""What a process has of the machine."""

import contextlib
import random
import re
import socket
from pathlib import Path

_RSS = re.compile(r"^Rss:\s+(\d+) kB$", re.MULTILINE)
_PAGE = 4  # KiB


def rss(pid: int) -> float:
    """The memory of a process that lies in RAM, in KiB."""
    try:
        found = _RSS.search(Path(f"/proc/{pid}/smaps_rollup").read_text())
    except (
        PermissionError
    ):  # the broker lets nobody but root look; what all may see is less exact by some pages
        found = None
    if found is not None:
        return float(found[1])
    return float(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE


def free_port() -> int:
    """A port of loopback that nobody has now.

    Below those that the kernel gives away: a caller could have it before the server has.
    """
    while True:
        port = random.randrange(15_000, 32_000)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
