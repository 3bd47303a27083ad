"""What hostile requests are put together from: `corpus/pieces.txt`, by kind."""

import re
from pathlib import Path

from tests.fuzz.spelling import read

MARKER = b"zq17MARKER"  # stands in many of them, and comes back in no answer
_FILE = Path(__file__).with_name("corpus") / "pieces.txt"
_KIND = re.compile(r"\[([a-z-]+)\]")


def _pieces() -> dict[str, list[bytes]]:
    found: dict[str, list[bytes]] = {}
    kind = ""
    for line in _FILE.read_text("ascii").splitlines():
        if name := _KIND.fullmatch(line):
            kind = name[1]
        elif line and not line.startswith("# "):
            found.setdefault(kind, []).append(read(line))
    return found


PIECES = _pieces()
