"""Times as workloads read them: RFC 3339 in UTC, to the second."""

import math
from collections.abc import Callable
from datetime import datetime, timedelta

At = Callable[[float], str | None]


def shown(when: datetime | None) -> str | None:
    """A time of the wall clock, in UTC."""
    return None if when is None else when.strftime("%Y-%m-%dT%H:%M:%SZ")


def clock_to_wall(now: float, wall: datetime) -> At:
    """From moments of the broker's clock to the wall's, for display; one that never comes is none."""

    def at(moment: float) -> str | None:
        return shown(wall + timedelta(seconds=moment - now)) if math.isfinite(moment) else None

    return at
