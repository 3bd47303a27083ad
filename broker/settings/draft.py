"""Settings before they are checked: a table, and where each value of it stood."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from broker.core.errors import Problem

Path = tuple[str | int, ...]
# A key is shown; what is longer or odd may be a secret in the wrong place.
_SHOWABLE = re.compile(r"[A-Za-z0-9_-]{1,63}")


@dataclass(slots=True)
class Draft:
    """What was found so far."""

    file: str | None  # None: there is no file
    table: dict[str, object] = field(default_factory=dict)
    origins: dict[Path, str] = field(default_factory=dict)  # variables, and the paths that they gave
    problems: list[Problem] = field(default_factory=list)

    def put(self, path: Sequence[str], value: object, origin: str) -> None:
        """Sets one value in place of what stood there; a wrong kind on the way is replaced and told by `where`."""
        table = self.table
        for part in path[:-1]:
            inner = table.get(part)
            if not isinstance(inner, dict):
                inner = table[part] = {}
            table = inner
        table[path[-1]] = value
        self.origins[tuple(path)] = origin

    def origin(self, path: Path) -> tuple[str, Path] | None:
        """The variable that gave this value, or a part of it, with its own path."""
        above = [(path[:length], self.origins.get(path[:length])) for length in range(len(path), 0, -1)]
        for known, name in above:
            if name is not None:
                return name, known
        return next(
            ((name, known) for known, name in self.origins.items() if known[: len(path)] == path), None
        )

    def where(self, path: Path) -> str:
        """The file and key, or the variable, for people."""
        origin = self.origin(path)
        if origin is not None:
            name, own = origin
            return f"{name}, {dotted(path)}" if len(path) > len(own) else name
        return f"{self.file}, {dotted(path)}" if self.file else dotted(path)


def dotted(path: Path) -> str:
    """A path as in `listen[0].unix`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if _SHOWABLE.fullmatch(part) else ".(a name too odd to show)"
    return text.removeprefix(".")
