"""How long a caller will wait: `Prefer: wait=SECONDS` (RFC 7240)."""

import re

DEFAULT = 1.0
LONGEST = 30.0

_WAIT = re.compile(r'\s*wait\s*=\s*"?([0-9]{1,9})"?\s*(?:;.*)?', re.IGNORECASE | re.DOTALL)


def wait(headers: list[str]) -> float | None:
    """The seconds asked for, at most LONGEST; None when nothing understandable was. The first one counts."""
    for preference in ",".join(headers).split(","):
        match = _WAIT.fullmatch(preference)
        if match:
            return min(float(match[1]), LONGEST)
    return None
