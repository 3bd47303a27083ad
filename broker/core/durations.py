"""Spans of time as people write them: `90`, `"90s"`, `"15m"`, `"12h"`, `"1.5h"`, `"2d"`."""

import math
import re

_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_FORM = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?)([smhd]?)")


def seconds(value: object) -> float | None:
    """The seconds that a number or a text means; None when it means none. Never negative, never infinite."""
    if isinstance(value, str):
        match = _FORM.fullmatch(value)
        return float(match[1]) * _SECONDS[match[2]] if match else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def shown(number: float) -> str:
    """A number of seconds as people write it."""
    for unit in ("d", "h", "m"):
        if number and number % _SECONDS[unit] == 0:
            return f"{number / _SECONDS[unit]:.12g}{unit}"
    return f"{number:.12g}s"


def rough(number: float) -> str:
    """A number of seconds as people say it: its two largest units."""
    left = int(number)
    words: list[str] = []
    for unit in ("d", "h", "m", "s"):
        count, left = divmod(left, _SECONDS[unit])
        if count or (unit == "s" and not words):
            words.append(f"{count} {unit if unit != 'm' else 'min'}")
    return " ".join(words[:2])
