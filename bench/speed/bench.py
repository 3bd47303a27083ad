"""What every part of a run has at hand."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bench.speed.generator import Generator, Load, Target, Work
from bench.speed.tools import Tools


@dataclass(slots=True)
class Bench:
    """One run: its tools, its folder, how thorough it is and how long it may take."""

    tools: Tools
    folder: Path
    tell: Callable[[str], None]
    quick: bool
    until: float  # of the monotonic clock
    faults: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    _folders: int = 0

    @property
    def left(self) -> float:
        """Seconds until it has to be over."""
        return self.until - time.monotonic()

    @property
    def generator(self) -> Generator:
        """What puts load on somebody."""
        return Generator(self.tools.generator)

    def new_folder(self) -> Path:
        """A path of its own for a server's files, short enough for a socket."""
        self._folders += 1
        return self.folder / str(self._folders)

    def load(self, who: str, target: Target, work: Work) -> Load:
        """Put load on somebody; what failed of it is kept as a fault."""
        load = self.generator.load(target, work)
        if load.errors:
            self.faults.append(f"{who}: {load.errors} of {load.requests + load.errors} requests failed")
        return load
