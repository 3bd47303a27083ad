"""Reading Keystone's JSON: each part is what it must be, or the whole answer is not understood; pure.

- Whatever arrives, the only exception is IamError; it is raised outside the handler of its cause, because a decoder's
  error carries the whole body along.
"""

import json
import re
from datetime import UTC, datetime
from typing import NoReturn

from broker.core.errors import Fault, IamError
from broker.core.model import Named, Row

Document = dict[str, object]

# Ids go into paths, logs and comparisons; "." and ".." would walk in a path.
_ID = re.compile(r"(?!\.{1,2}\Z)[!-~]+")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:?[0-9]{2})?"
)


def odd(what: str) -> NoReturn:
    """Refuse the answer. Raises IamError."""
    raise IamError(
        Fault.PROTOCOL, f"IAM's answer is not understood: {what}; check that iam.url is KakaoCloud's Keystone"
    )


def json_object(body: bytes) -> Document | None:
    """The object that the body is; None where it is anything else."""
    try:
        document = json.loads(body.decode(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def document_of(body: bytes) -> Document:
    """The object that the body is. Raises IamError."""
    document = json_object(body)
    if document is None:
        odd("its body is not a JSON object")
    return document


def object_at(parent: Document, key: str) -> Document:
    """A member that must be an object. Raises IamError."""
    value = parent.get(key)
    if not isinstance(value, dict):
        odd(f"its {key} is not an object")
    return value


def rows_at(parent: Document, key: str) -> list[Document]:
    """A member that must be a list of objects. Raises IamError."""
    rows = parent.get(key)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        odd(f"its {key} is not a list of objects")
    return rows


def text_at(parent: Row, key: str) -> str:
    """A member that must be a text. Raises IamError."""
    value = parent.get(key)
    # JSON can spell half a character, which no later encoder could write.
    if not isinstance(value, str) or _SURROGATE.search(value):
        odd(f"its {key} is not a text")
    return value


def named(row: Row) -> Named:
    """What has an id and a name. Raises IamError."""
    if not is_id(ident := text_at(row, "id")):
        odd("it has an id that is no id")
    return Named(ident, text_at(row, "name"))


def is_id(text: str) -> bool:
    """Whether a text can be one of Keystone's ids."""
    return _ID.fullmatch(text) is not None


def instant(text: str) -> datetime | None:
    """A time as Keystone writes it; without an offset it is UTC."""
    if not _INSTANT.fullmatch(text):
        return None
    try:
        when = datetime.fromisoformat(text)
        return when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _refuse_constant(_: str) -> NoReturn:
    raise ValueError("NaN and Infinity are not JSON")
