"""Whether what one table names is there in another: identities and listeners.

Judged on the draft, before the tree is built, so that a problem here does not hide behind one there. What is not even
of the right kind is left to the tree, and what names something broken is not blamed for it.
"""

from collections.abc import Iterator

from pydantic_core import PydanticCustomError

from broker.core.errors import Problem
from broker.settings.draft import Draft, Path
from broker.settings.listeners import SERVICES, TcpListener, UnixListener, label

_NO_IDENTITY = ("is no identity of this configuration", "correct the name, or add [identities.NAME]")
_NO_LISTENER = ("is no listener of this configuration", "correct it, or add it under [[listen]]")
_NO_TOKENS = ("serves no tokens, so that nobody can read there", 'add "tokens" to its `serve`, or remove it')
_NO_PORT = (
    "can never match, because only the open socket knows its port",
    "choose a port for it under [[listen]], or name another listener",
)
_NEVER = (
    "can never match, because over TCP only users are proven, not groups",
    "name users, or let it hold on a Unix socket",
)


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
    services = _services(table)
    if services:
        for index, grant in enumerate(_tables(table, "grants")):
            for path, sentence in _unreachable(grant, ("grants", index), services):
                yield Problem(draft.where(path), *sentence)


def _unreachable(
    grant: dict[str, object], path: Path, services: dict[str, tuple[object, ...]]
) -> Iterator[tuple[Path, tuple[str, str]]]:
    named = _list(grant.get("listeners"))
    labels = [_label(item) for item in named]
    for index, its in enumerate(labels):
        if its is not None and its not in services:
            yield (*path, "listeners", index), _NO_LISTENER
        elif its is not None and not its.startswith("/") and its.endswith(":0"):
            yield (*path, "listeners", index), _NO_PORT
        elif its is not None and "tokens" not in services[its]:
            yield (*path, "listeners", index), _NO_TOKENS
    only_groups = _list(grant.get("groups")) and not (
        grant.get("users") or grant.get("any") or "units" in grant
    )
    where = labels if named else list(services)
    if only_groups and all(its in services and not its.startswith("/") for its in map(str, where)):
        yield (*path, "groups"), _NEVER


def _services(table: dict[str, object]) -> dict[str, tuple[object, ...]] | None:
    """What each listener serves, by its label; None where one of them is broken, nothing where that is told already."""
    found: dict[str, tuple[object, ...]] = {}
    for entry in _list(table.get("listen")):
        if isinstance(entry, UnixListener | TcpListener):
            found[entry.label] = entry.serve
        elif isinstance(entry, dict) and (its := _label(entry.get("unix", entry.get("tcp")))):
            found[its] = tuple(_list(entry.get("serve", [*SERVICES])))
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
