"""Planted keys, and the ways they are written down."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from broker.core.errors import ConfigError
from broker.core.model import KeyById, KeyByName
from broker.core.secret import Secret

SECRET = "canary-secret-0123456789"
BY_ID = KeyById("1f" * 16, Secret(SECRET))
BY_NAME = KeyByName("my key", "ab" * 16, Secret(SECRET))
ID_FIELDS = {"id": BY_ID.id, "secret": SECRET}
NAME_FIELDS = {"name": BY_NAME.name, "user_id": BY_NAME.user_id, "secret": SECRET}


def folder(path: Path, fields: Mapping[str, str], mode: int = 0o400) -> Path:
    """A directory with a file per field."""
    path.mkdir(mode=0o700)
    for field, value in fields.items():
        (path / field).write_text(value)
        (path / field).chmod(mode)
    return path


def volume(path: Path, fields: Mapping[str, str], moment: str = "..1", mode: int = 0o400) -> Path:
    """A directory as Kubernetes lays out a Secret; called again with another moment, it is swapped."""
    path.mkdir(exist_ok=True)
    folder(path / moment, fields, mode)
    fresh = path / "..data_tmp"
    fresh.symlink_to(moment)
    fresh.rename(path / "..data")
    for field in fields:
        if not (path / field).is_symlink():
            (path / field).symlink_to(f"..data/{field}")
    return path


def written(path: Path, fields: Mapping[str, object], mode: int = 0o600) -> Path:
    """A JSON file, which is a TOML file too when its suffix says so."""
    if path.suffix == ".toml":
        path.write_text("".join(f"{field} = {json.dumps(value)}\n" for field, value in fields.items()))
    else:
        path.write_text(json.dumps(fields))
    path.chmod(mode)
    return path


def refusal(read: Callable[[], object], base: Path | str = "/nowhere") -> list[str]:
    """The sentences of a refusal, with `base` taken out and the canary proven absent."""
    with pytest.raises(ConfigError) as caught:
        read()
    assert SECRET not in str(caught.value)
    return [str(problem).replace(str(base), "") for problem in caught.value.problems]
