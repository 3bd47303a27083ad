"""What is counted and measured, as plain numbers: no library is needed until somebody scrapes them.

A family that grows past `MOST_SERIES` counts on under "other", so that memory stays bounded whatever a caller of this
module does wrong.
"""

from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

# Far above what any configuration needs.
MOST_SERIES = 4096
# Seconds: from a near Keystone's answer to the default time-out of a request.
BOUNDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
# A loop that stood still for a second between two scrapes would not be seen in the latest lag alone.
_LAGS = 60


@dataclass(frozen=True, slots=True)
class Reading:
    """What one identity's lease shows at the moment of a scrape."""

    identity: str
    remaining: float | None  # seconds that the token may still be served; None: there is none
    # By the place of an access key, primary or standby, the seconds to its own end; absent: unknown, or it has none.
    key_remaining: Mapping[str, float]
    degraded: tuple[str, ...]  # reasons, the values of `core.degraded.Reason`
    skew: float | None  # seconds, the host's clock minus IAM's; None: not measured


class Counts:
    """A counter with labels."""

    def __init__(self, *labels: str) -> None:
        self.labels = labels
        self._counts: dict[tuple[str, ...], int] = {}

    def add(self, *values: str, times: int = 1) -> None:
        """Count for these values of the labels; 0 times: the series stands at 0 if it is new."""
        counts = self._counts
        if values not in counts and len(counts) >= MOST_SERIES:
            values = ("other",) * len(self.labels)
        counts[values] = counts.get(values, 0) + times

    def __iter__(self) -> Iterator[tuple[tuple[str, ...], int]]:
        return iter(self._counts.items())


class Times:
    """How often something took how long: so many within each bound, each counted once, and the sum."""

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)  # the last: longer than all
        self.total = 0.0  # seconds

    def add(self, seconds: float) -> None:
        """It took so long."""
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.total += seconds


class Numbers:
    """All that a scrape shows of one broker."""

    def __init__(
        self, version: str, leases: Callable[[], Iterable[Reading]], audit_lost: Callable[[], int]
    ) -> None:
        """Both are called at each scrape; see `Metrics`."""
        self.version = version
        self.leases = leases
        self.audit_lost = audit_lost
        self.requests = Counts("listener", "route", "code")
        self.refused = Counts("reason")
        self.served = Counts("identity", "listener")
        self.iam = Counts("identity", "operation", "outcome")
        self.iam_seconds: dict[str, Times] = {}  # by operation, of which the code has a handful
        self._lags: deque[float] = deque(maxlen=_LAGS)

    def lag(self, seconds: float) -> None:
        """The loop was so late; told about once a second."""
        self._lags.append(seconds)

    @property
    def longest_lag(self) -> float:
        """Seconds, of the last minute."""
        return max(self._lags, default=0.0)
