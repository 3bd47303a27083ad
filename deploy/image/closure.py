"""Which files of this machine a program needs: the interpreter, its standard library, and what they load.

- Shared libraries are found by asking the dynamic linker itself, so a library is missing here when it is missing there.
- A path is kept as it is written: where a link leads on, the link and its target are both needed.
- What serves people at a keyboard, or builds and tests Python, stays behind with the libraries that it alone needs.
"""

import os
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path

_LEFT_OUT = {
    "__pycache__", "site-packages", "dist-packages", "test", "idlelib", "tkinter", "turtle.py", "turtledemo", "ensurepip",
    "lib2to3", "venv", "pydoc_data", "curses", "dbm", "sqlite3", "EXTERNALLY-MANAGED",
}  # fmt: skip
_MODULES_LEFT_OUT = re.compile(r"(readline|_?curses|_sqlite3|_g?dbm|_tkinter|_test|_xxtest|xx|_ctypes_test)")
_SONAME = re.compile(r"^\s*(?:\S+ => )?(/\S+) \(0x[0-9a-f]+\)$", re.MULTILINE)


def interpreter() -> Path:
    """The program itself, without links."""
    return Path(sys.executable).resolve()


def standard_library() -> Iterator[Path]:
    """Its files."""
    for name in {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")}:
        for folder, folders, files in os.walk(name):
            folders[:] = [
                each for each in folders if each not in _LEFT_OUT and not each.startswith("config-")
            ]
            for file in files:
                if file not in _LEFT_OUT and not (
                    Path(folder).name == "lib-dynload" and _MODULES_LEFT_OUT.match(file)
                ):
                    yield Path(folder, file)


def libraries(programs: Iterable[Path]) -> set[Path]:
    """The shared libraries that these programs and modules load, the linker's own program among them."""
    found: set[Path] = set()
    for program in programs:
        told = subprocess.run(["ldd", program], capture_output=True, text=True, check=False)
        if "not found" in told.stdout:
            sys.exit(f"{program} wants a library that is not here:\n{told.stdout}")
        found.update(map(Path, _SONAME.findall(told.stdout)))
    return found


def with_links(path: Path) -> Iterator[Path]:
    """The path as far as no link leads elsewhere, and each link on the way to it."""
    at = Path("/")
    parts = list(path.parts[1:])
    while parts:
        at /= parts.pop(0)
        if at.is_symlink():
            yield at
            target = at.parent / at.readlink()
            yield from with_links(Path(os.path.normpath(target.joinpath(*parts))))
            return
    yield at
