"""From the words of the configuration to sources of keys.

`env:` is the environment; an absolute path is a directory or a file, which is decided at each reading: a path may be a
link that is switched from one to the other.
"""

import contextlib
from collections.abc import MutableMapping
from dataclasses import dataclass
from pathlib import Path

from broker.core.errors import ConfigError
from broker.core.model import AccessKey
from broker.core.ports import KeySource
from broker.identity import directory, file
from broker.identity.environment import EnvironmentSource

ENVIRONMENT = "env:"


@dataclass(frozen=True, slots=True)
class PathSource:
    """The key at a path."""

    path: Path

    @property
    def where(self) -> str:
        return str(self.path)

    def read(self) -> AccessKey:
        """The key as it stands now; raises ConfigError."""
        # Whatever this look says, each reader judges what it opened itself.
        return directory.read(self.path) if _is_directory(self.path) else file.read(self.path)


class Sources:
    """Makes the sources of one process; a reload must ask the same one, because the environment is read only once."""

    def __init__(self, environ: MutableMapping[str, str] | None = None) -> None:
        """`environ` stands for the process's own in tests."""
        self._environment = EnvironmentSource(environ)

    def of(self, words: str) -> KeySource:
        """The source that the configuration names; `words` have passed `is_source`."""
        return self._environment if words == ENVIRONMENT else PathSource(Path(words))

    def seal(self) -> None:
        """Take the secrets out of the environment even where no identity names it; a later `env:` still has its key."""
        with contextlib.suppress(ConfigError):
            self._environment.read()


def is_source(words: str) -> bool:
    """Whether the words name a source at all; a relative path does not, for a daemon has no folder of its own."""
    return words == ENVIRONMENT or (words.startswith("/") and "\0" not in words)


def _is_directory(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False
