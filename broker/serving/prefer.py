"""How long a caller will wait: `Prefer: wait=SECONDS` (RFC 7240)."""

import re
from typing import NamedTuple

from aiohttp import web

from broker.serving.context import DESK

DEFAULT = 1.0
LONGEST = 30.0

_WAIT = re.compile(r'\s*wait\s*=\s*"?([0-9]{1,9})"?\s*(?:;.*)?', re.IGNORECASE | re.DOTALL)


class Patience(NamedTuple):
    """The seconds that a caller asked for, None where it left them to us, and when they end by the broker's clock."""

    asked: float | None
    until: float

    def applied(self) -> dict[str, str]:
        """What an answer says of it."""
        return {} if self.asked is None else {"Preference-Applied": f"wait={self.asked:.0f}"}


def patience(request: web.Request) -> Patience:
    """That of the caller, from now on."""
    asked = wait(request.headers.getall("Prefer", []))
    return Patience(asked, request.app[DESK].clock.now() + (DEFAULT if asked is None else asked))


def wait(headers: list[str]) -> float | None:
    """The seconds asked for, at most LONGEST; None when nothing understandable was. The first one counts."""
    for preference in ",".join(headers).split(","):
        match = _WAIT.fullmatch(preference)
        if match:
            return min(float(match[1]), LONGEST)
    return None
