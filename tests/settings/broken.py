"""Loading what is broken, and the sentences it gets."""

from pathlib import Path

import pytest

from broker.core.errors import ConfigError
from broker.settings import load

CANARY = "canary-secret"
GOOD = '[identities.default]\nkeys = ["/k"]\n[[listen]]\nunix = "/s"\n'


def sentences(config: Path | None, environ: dict[str, str], base: Path) -> list[str]:
    """Every problem, with `F` for the path `base`."""
    with pytest.raises(ConfigError) as caught:
        load(config, environ)
    assert CANARY not in str(caught.value)
    return str(caught.value).replace(str(base), "F").splitlines()


def told_of(addition: str, folder: Path, good: str = GOOD) -> list[str]:
    """The problems of a good file with this addition."""
    path = folder / "broker.toml"
    path.write_text(f"{good}{addition}")
    return sentences(path, {}, path)
