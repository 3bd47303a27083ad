"""Whether what one table names is there in another: identities and listeners.

Judged on the draft, before the tree is built, so that a problem here does not hide behind one there. What is not even
of the right kind is left to the tree, and what names something broken is not blamed for it.
"""

from collections.abc import Iterator
from typing import NamedTuple

from pydantic_core import PydanticCustomError

from broker.core.errors import Problem
from broker.settings.draft import Draft, Path
from broker.settings.files import usual
from broker.settings.listeners import SERVICES, TcpListener, UnixListener, label, names_tcp

_NO_IDENTITY = ("is no identity of this configuration", "correct the name, or add [identities.NAME]")
_WHOSE = ("does not say whose token the file holds", 'add identity = "...", one of those under [identities]')
_NO_LISTENER = ("is no listener of this configuration", "correct it, or add it under [[listen]]")
_NO_TOKENS = ("serves no tokens, so that nobody can read there", 'add "tokens" to its `serve`, or remove it')
_NO_PORT = (
    "can never match, because only the open socket knows its port",
    "choose a port for it under [[listen]], or name another listener",
)
_NEVER = (
    "can never match, because over TCP only users are proven, neither groups nor units",
    "name users, or let it hold on a Unix socket",
)
_ELSEWHERE = (
    "can never match, because each listener where it holds is limited to other identities",
    "add the identity to the `identities` of one, or name another listener",
)


class _Door(NamedTuple):
    """A listener of the draft."""

    serve: tuple[object, ...]
    identities: tuple[object, ...] | None  # None: all of them


def reference_problems(draft: Draft) -> Iterator[Problem]:
    """The problems with names that lead nowhere."""
    table = draft.table
    known = table.get("identities")
    if not isinstance(known, dict):
        known = {}
    for path, name in _identities(table):
        # Without any identity that problem alone is told.
        if known and name not in known:
            yield Problem(draft.where(path), *_NO_IDENTITY)
    for index, file in enumerate(_tables(table, "files")):
        if known and "identity" not in file and usual(known) is None:
            yield Problem(draft.where(("files", index)), *_WHOSE)
    services = _services(table)
    if services:
        for index, grant in enumerate(_tables(table, "grants")):
            for path, sentence in _unreachable(grant, ("grants", index), services):
                yield Problem(draft.where(path), *sentence)


def _unreachable(
    grant: dict[str, object], path: Path, services: dict[str, _Door]
) -> Iterator[tuple[Path, tuple[str, str]]]:
    named = _list(grant.get("listeners"))
    labels = [_label(item) for item in named]
    for index, its in enumerate(labels):
        if its is not None and its not in services:
            yield (*path, "listeners", index), _NO_LISTENER
        elif its is not None and names_tcp(its) and its.endswith(":0"):
            yield (*path, "listeners", index), _NO_PORT
        elif its is not None and "tokens" not in services[its].serve:
            yield (*path, "listeners", index), _NO_TOKENS
    where = [its for its in (labels if named else services) if its in services]
    doors = {its: services[its] for its in map(str, where) if "tokens" in services[its].serve}
    if not doors or len(doors) < len(named):
        return  # told already
    unproven = [key for key in ("groups", "units") if _list(grant.get(key))]
    if unproven and not (grant.get("users") or grant.get("any")) and all(map(names_tcp, doors)):
        yield (*path, unproven[0]), _NEVER
    limits = [door.identities for door in doors.values()]
    if all(limit is not None and grant.get("identity") not in limit for limit in limits):
        yield (*path, "identity"), _ELSEWHERE


def _services(table: dict[str, object]) -> dict[str, _Door] | None:
    """What each listener serves, by its label; None where one of them is broken, nothing where that is told already."""
    found: dict[str, _Door] = {}
    for entry in _list(table.get("listen")):
        if isinstance(entry, UnixListener | TcpListener):
            found[entry.label] = _Door(entry.serve, entry.identities)
        elif isinstance(entry, dict) and (its := _label(entry.get("unix", entry.get("tcp")))):
            limit = entry.get("identities")
            found[its] = _Door(
                tuple(_list(entry.get("serve", [*SERVICES]))), None if limit is None else tuple(_list(limit))
            )
        else:
            return None
    return found


def _identities(table: dict[str, object]) -> Iterator[tuple[Path, str]]:
    for index, entry in enumerate(_tables(table, "listen")):
        for place, name in enumerate(_list(entry.get("identities"))):
            if isinstance(name, str):
                yield ("listen", index, "identities", place), name
    for index, grant in enumerate(_tables(table, "grants")):
        name = grant.get("identity")
        if isinstance(name, str):
            yield ("grants", index, "identity"), name
    for index, file in enumerate(_tables(table, "files")):
        name = file.get("identity")
        if isinstance(name, str):
            yield ("files", index, "identity"), name


def _tables(table: dict[str, object], key: str) -> list[dict[str, object]]:
    """The tables of a list; in the place of what is none, an empty one."""
    return [entry if isinstance(entry, dict) else {} for entry in _list(table.get(key))]


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _label(value: object) -> str | None:
    try:
        return label(value)
    except PydanticCustomError:
        return None
