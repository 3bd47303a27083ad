"""From pydantic's errors to our sentences; the value itself is never repeated."""

from collections.abc import Iterator

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from broker.core.errors import Problem
from broker.settings.draft import Draft, Path
from broker.settings.kinds import NOT_TEXT, TOLD
from broker.settings.known import unknown

_TABLE = ("is not a table", "write it as a table of settings")
_BOOLEAN = ("is neither true nor false", "write true or false, without quotes in a file")
_SENTENCES = {
    "missing": ("is missing", "add it"),
    "string_type": NOT_TEXT,
    "bool_type": _BOOLEAN,
    "bool_parsing": _BOOLEAN,
    "tuple_type": ("is not a list", "write it in brackets, or as [[...]] where it holds tables"),
    "mapping_type": _TABLE,
    "dict_type": _TABLE,
    "model_type": _TABLE,
    "model_attributes_type": _TABLE,
}


def problems_of(error: ValidationError, draft: Draft) -> Iterator[Problem]:
    """Every error as one problem, in the order of the tree."""
    details = error.errors(include_url=False, include_input=False)
    for item in details:
        item["loc"] = _untagged(item["loc"])
    for item in details:
        path = item["loc"]
        if item["type"] == "missing" and len(path) == 1 and draft.problems:
            continue
        yield unknown(path, draft) if item["type"] == "extra_forbidden" else _problem(item, path, draft)


def _untagged(path: Path) -> Path:
    """Without the kind of listener, which pydantic puts after its number."""
    return path[:2] + path[3:] if path[0] == "listen" else path


def _problem(item: ErrorDetails, path: Path, draft: Draft) -> Problem:
    # pydantic marks an error in the key of a mapping so.
    where = draft.where(path[:-1] if path[-1] == "[key]" else path)
    if item["type"] == "missing" and path[0] == "listen" and len(path) > 1:
        # A table that has neither is taken for a Unix socket.
        return Problem(draft.where(path[:-1]), "names neither `unix` nor `tcp`", "give one of the two")
    context = item.get("ctx", {})
    if item["type"] == TOLD:
        return Problem(where, context["what"], context["remedy"])
    if item["type"] == "literal_error":
        return Problem(where, "is not one of the words known here", f"choose {context['expected']}")
    what, remedy = _SENTENCES.get(item["type"], ("is not valid", "correct the value"))
    return Problem(where, what, remedy)
