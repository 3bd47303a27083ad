"""The requests that are kept: those written by hand, and those that `make fuzz` has found, each with its answer."""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from tests.fuzz.spelling import Stream, read, spelled

FOLDER = Path(__file__).with_name("corpus")
_DOORS = {"both": ("unix", "tcp"), "unix": ("unix",), "tcp": ("tcp",)}


@dataclass(frozen=True, slots=True)
class Kept:
    """One of them."""

    name: str
    doors: tuple[str, ...]
    status: str  # of the first answer; "4xx" for any such, "closed" for none, "-" where nobody has said yet
    code: str  # its code; "-" where it has none to say
    stream: Stream

    @property
    def cases(self) -> list[tuple["Kept", str]]:
        """It at each of its doors."""
        return [(self, door) for door in self.doors]

    def __str__(self) -> str:
        return self.name


def kept(name: str) -> list[Kept]:
    """Those of one file."""
    lines = (FOLDER / f"{name}.txt").read_text("ascii").splitlines()
    return [_read(line) for line in lines if line and not line.startswith("#")]


def keep(stream: bytes, door: str) -> str:
    """Put what was found to those that every run of the tests tries again; its name."""
    name = f"found-{sha256(stream).hexdigest()[:10]}"
    line = f"{name} | {door} | - | {spelled(stream)}\n"
    file_of_them = FOLDER / "found.txt"
    if line not in file_of_them.read_text("ascii"):
        with file_of_them.open("a", encoding="ascii") as file:
            file.write(line)
    return name


def _read(line: str) -> Kept:
    name, doors, answer, text = (
        line.split(" | ", 3) if not line.endswith(" |") else [*line[:-2].split(" | "), ""]
    )
    status, _, code = answer.partition(" ")
    return Kept(name, _DOORS[doors], status, code or "-", read(text))
