"""Keys that are not in the tree: each is answered with the nearest known one.

A key that is ignored is worse than one that stops the broker: people would believe that a grant is in force.
"""

from difflib import get_close_matches

from pydantic import BaseModel

from broker.core.errors import Problem
from broker.identity.fields import FIELDS
from broker.settings.draft import Draft, Path, dotted
from broker.settings.files import File
from broker.settings.grants import Grant
from broker.settings.identities import Identity
from broker.settings.listeners import TcpListener, UnixListener
from broker.settings.tree import S3, Cache, Iam, Log, Refresh, Serving, Settings, Validation

_ROOMS: dict[str, tuple[type[BaseModel], ...]] = {
    "": (Settings,),
    "iam": (Iam,),
    "listen": (UnixListener, TcpListener),
    "identities": (Identity,),
    "grants": (Grant,),
    "refresh": (Refresh,),
    "validation": (Validation,),
    "cache": (Cache,),
    "log": (Log,),
    "serving": (Serving,),
    "s3": (S3,),
    "files": (File,),
}
# A section's name and a field's are no path into them.
_OF_MANY = {"", "listen", "identities", "grants", "files"}
_BOTH = ("stands beside `unix`", "keep one of the two, or give each a [[listen]] of its own")
_UNIX_ONLY = ("is for Unix sockets only", "remove it")


def sections() -> set[str]:
    """The keys at the top."""
    return {*Settings.model_fields}


def spellings() -> dict[str, Path]:
    """Every setting that a variable can give, by its parts joined with a single underscore."""
    inner = ((room, field) for room in _ROOMS if room not in _OF_MANY for field in _fields(room))
    paths: list[Path] = [(section,) for section in Settings.model_fields]
    return {"_".join(map(str, path)): path for path in (*paths, *inner)}


def unknown(path: Path, draft: Draft) -> Problem:
    """The problem with a key that this version does not know."""
    where = draft.where(path)
    if _room(path) == "listen" and path[-1] in _fields("listen"):
        return Problem(where, *(_BOTH if path[-1] == "tcp" else _UNIX_ONLY))
    return Problem(where, "is not a known setting", _remedy(path, draft))


def _remedy(path: Path, draft: Draft) -> str:
    room, key = _room(path), str(path[-1])
    known = _fields(room)
    if room == "identities" and key in FIELDS:
        return "write the key into files of its own and name their directory in `keys`"
    near = get_close_matches(key, known, 1, 0.5)
    if not near:
        return f"known here: {', '.join(known)}"
    origin = draft.origin(path)
    if origin is None or len(origin[1]) < len(path):
        return f"did you mean `{dotted((*path[:-1], near[0]))}`?"
    name, own = origin
    parts = [*path[:-1], near[0], *own[len(path) :]]
    prefix = name[: -len("__".join(map(str, own)))]
    return f"did you mean {prefix}{'__'.join(map(str, parts)).upper()}?"


def _fields(room: str) -> list[str]:
    return list(dict.fromkeys(field for table in _ROOMS[room] for field in table.model_fields))


def _room(path: Path) -> str:
    return str(path[0]) if len(path) > 1 else ""
