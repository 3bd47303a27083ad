"""An access key from a directory with one file per field.

- Files are `id` + `secret`, or `name` + `secret` + `user_id`; others are left alone.
- All fields come from one moment: Kubernetes swaps the link `..data` from one folder to the next, so it is followed
  once and every file is opened under what it led to. When it has moved meanwhile (the old folder may be half removed
  by then), the reading starts again.
"""

import os
from dataclasses import dataclass, field
from pathlib import Path

from broker.core.errors import ConfigError, Problem
from broker.core.model import AccessKey
from broker.core.secret import Secret
from broker.identity import opening
from broker.identity.fields import FIELDS, Place, key_of
from broker.identity.modes import directory_problem
from broker.identity.trouble import unopened

_DATA = "..data"
_TRIES = 5


@dataclass(slots=True)
class _Snapshot:
    """The files of one moment."""

    problem: Problem | None  # the directory's own
    fields: dict[str, Secret] = field(default_factory=dict)
    unread: dict[str, Problem] = field(default_factory=dict)  # files that are there but cannot be read
    moved: bool = False  # the path leads elsewhere by now


def read(path: Path) -> AccessKey:
    """The key in the directory as it stands now; raises ConfigError."""
    try:
        snapshot = _snapshot(path)
        for _ in range(_TRIES):
            if not snapshot.moved:
                break
            snapshot = _snapshot(path)
    except OSError as error:
        raise ConfigError(unopened(error, str(path))) from None
    place = Place(str(path), at=lambda name: str(path / name), called=lambda name: f"`{name}`")
    own = () if snapshot.problem is None else (snapshot.problem,)
    return key_of(snapshot.fields, place, unread=snapshot.unread, own=own)


def _snapshot(path: Path) -> _Snapshot:
    with opening.directory(path) as outer:
        snapshot = _Snapshot(directory_problem(outer, str(path)))
        try:
            with opening.directory(_DATA, outer) as inner:
                _read_fields(inner, path, snapshot, projected=True)
                there = os.fstat(inner)
        except (FileNotFoundError, NotADirectoryError):
            _read_fields(outer, path, snapshot, projected=False)
            there = os.fstat(outer)
    snapshot.moved = not os.path.samestat(there, _leads_to(path))
    return snapshot


def _read_fields(descriptor: int, path: Path, snapshot: _Snapshot, *, projected: bool) -> None:
    for name in FIELDS:
        file = path / name
        try:
            snapshot.fields[name] = opening.read(
                name, str(file), within=descriptor, secret=name == "secret", projected=projected
            )
        except FileNotFoundError as error:
            if file.is_symlink():
                snapshot.unread[name] = unopened(error, str(file))
        except ConfigError as error:
            (snapshot.unread[name],) = error.problems


def _leads_to(path: Path) -> os.stat_result:
    """The directory that would be read at this moment."""
    try:
        return (path / _DATA / ".").stat()
    except (FileNotFoundError, NotADirectoryError):
        return path.stat()
