"""An access key from one file, TOML or JSON by its suffix, with the fields at its top."""

import json
import tomllib
from pathlib import Path

from broker.core.errors import ConfigError, Problem
from broker.core.model import AccessKey
from broker.core.secret import Secret
from broker.identity import opening
from broker.identity.fields import FIELDS, Place, key_of
from broker.identity.trouble import unopened

SUFFIXES = (".toml", ".json")
_KNOWN = "a key has `id` and `secret`, or `name`, `user_id` and `secret`"
# A field's name is shown; what is longer or odd may be a secret that slipped before the equals sign.
_LONGEST_NAME = 32


def read(path: Path) -> AccessKey:
    """The key in the file as it stands now; raises ConfigError."""
    shown = str(path)
    if path.suffix not in SUFFIXES:
        try:
            path.stat()
        except OSError as error:  # nothing is there, or hidden: renaming would not help
            raise ConfigError(unopened(error, shown)) from None
        raise ConfigError(
            Problem(shown, "is neither a directory nor named *.toml or *.json", "rename the file")
        )
    try:
        content = opening.read(path, shown)
    except FileNotFoundError as error:
        raise ConfigError(unopened(error, shown)) from None
    table = _parsed(content, path)
    place = Place(shown, at=lambda name: f"{shown}, {name}", called=lambda name: f"`{name}`")
    fields, unread, own = {}, {}, []
    for name, value in table.items():
        if name not in FIELDS:
            own.append(Problem(shown, f"has the unknown field {_showable(name)}", _KNOWN))
        elif isinstance(value, str):
            fields[name] = Secret(value)
        else:
            unread[name] = Problem(place.at(name), "is not text", "put the value in quotes")
    return key_of(fields, place, unread=unread, own=own)


def _parsed(content: Secret, path: Path) -> dict[str, object]:
    """The file's top table. The parsers' own words may repeat what they read, so only the place is told."""
    kind = path.suffix.removeprefix(".").upper()
    table, problem = None, Problem(str(path), "is not a JSON object", _KNOWN)
    try:
        table = tomllib.loads(content.reveal()) if kind == "TOML" else json.loads(content.reveal())
    except (ValueError, RecursionError) as error:
        problem = Problem(str(path), f"is not {kind}{_line(error)}", f"correct the {kind}")
    if not isinstance(table, dict):
        # Raised out here, because a parser's error carries the whole text along.
        raise ConfigError(problem)
    return table


def _line(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f" (line {error.lineno})"
    _, at, place = str(error).rpartition("(at line ")
    return f" (line {place.partition(',')[0]})" if at else ""


def _showable(name: str) -> str:
    return (
        f"`{name}`" if len(name) <= _LONGEST_NAME and name.isidentifier() else "with a name too odd to show"
    )
