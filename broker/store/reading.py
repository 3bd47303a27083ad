"""Reads JSON that must be exactly what this version writes: whatever is odd raises Unusable.

A number is finite, a truth is no number, and an object has the fields that it must have and no other.
"""

import json
import math
from contextlib import suppress
from typing import NoReturn

from broker.store.unusable import Unusable

Table = dict[str, object]
_ODD = "its content is not what this version writes"


def parsed(content: bytes) -> object:
    """What the bytes say."""
    with suppress(ValueError, RecursionError):
        return json.loads(content, parse_constant=odd)
    return odd()  # out here, because a parser's error carries the whole text along


def odd(*_: object) -> NoReturn:
    """Refuse what was read."""
    raise Unusable(_ODD)


def table(value: object, *fields: str) -> Table:
    """An object with exactly these fields."""
    if not isinstance(value, dict) or value.keys() != set(fields):
        odd()
    return value


def mapping(value: object) -> Table:
    """An object with any fields."""
    return value if isinstance(value, dict) else odd()


def rows(value: object) -> list[object]:
    """A list."""
    return value if isinstance(value, list) else odd()


def text(value: object) -> str:
    """A text."""
    return value if isinstance(value, str) else odd()


def text_or_none(value: object) -> str | None:
    """A text or nothing."""
    return None if value is None else text(value)


def truth(value: object) -> bool:
    """Yes or no."""
    return value if isinstance(value, bool) else odd()


def truth_or_none(value: object) -> bool | None:
    """Yes, no, or not told."""
    return None if value is None else truth(value)


def number(value: object) -> float:
    """A finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        odd()
    try:
        found = float(value)
    except OverflowError:
        odd()
    return found if math.isfinite(found) else odd()
