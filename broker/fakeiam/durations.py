"""How long, as people write it: `90`, `90s`, `15m`, `12h`; decimals are allowed (`0.5`)."""

import re

_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)([smh]?)", re.ASCII)
LONGEST = 366 * 24 * 3600.0
_SECONDS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}


def parse_duration(text: str) -> float:
    """Seconds; ValueError with one plain sentence when the text is no duration."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a duration; write it like 90, 90s, 15m or 12h")
    seconds = float(match[1]) * _SECONDS[match[2]]
    if seconds > LONGEST:
        raise ValueError(f"{text!r} is too long; the longest duration here is 366 days")
    return seconds
