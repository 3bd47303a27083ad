"""What the broker counts and measures, for Prometheus, under the names of INTERFACE section 6.

- Label values come from the configuration and from the code: identities, listeners, routes, reasons. Never a token, a
  key id or what a caller sent.
- Counting is one look-up and one addition. Prometheus' library is loaded by the first scrape: 15 ms and a megabyte, which
  no start waits for and no broker holds that nobody scrapes.
- What a lease says is read at each scrape, not kept here, so that it cannot be out of date; so is what the audit lost.
- A rendering takes milliseconds in which nobody is served, and whoever reaches the port may ask for it: there are few of
  them in a second. Who asks beyond that gets the last one again.
- Reasons and outcomes stand at 0 before the first one happens: `increase()` does not see a series that is born at 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from broker.core.budget import Bucket
from broker.core.errors import Fault
from broker.observability.numbers import MOST_SERIES, Numbers, Reading, Times
from broker.observability.refusals import DENIALS

if TYPE_CHECKING:
    from broker.observability.exposition import Exposition

__all__ = ["MOST_SERIES", "Metrics", "Reading"]

# Several scrapers at once, each with a rendering of its own; then one in so many seconds.
RENDERINGS = 5
RENDERING_EVERY = 0.2
_OUTCOMES = ("ok", *map(str, Fault))


class Metrics:
    """All metrics of one broker."""

    def __init__(
        self,
        version: str,
        leases: Callable[[], Iterable[Reading]],
        audit_lost: Callable[[], int] = int,
    ) -> None:
        """Both are called at each scrape, on the scraper's thread, and must be cheap; `audit_lost` counts lines."""
        self._numbers = Numbers(version, leases, audit_lost)
        for reason in sorted(DENIALS):
            self._numbers.refused.add(reason, times=0)
        self._exposition: Exposition | None = None
        self._renderings = Bucket.full(RENDERINGS, float("-inf"))
        # The last one by its content type, of which the library has ten, whatever it is asked for.
        self._rendered: dict[str, bytes] = {}

    def requested(self, listener: str, route: str, status: int, times: int = 1) -> None:
        """Requests were answered; `route` is the route's pattern or "other"."""
        self._numbers.requests.add(listener, route, str(status), times=times)

    def refused(self, reason: str) -> None:
        """A request was refused with this code."""
        self._numbers.refused.add(reason)

    def served(self, identity: str, listener: str, times: int = 1) -> None:
        """A token left for a workload, so many times."""
        self._numbers.served.add(identity, listener, times=times)

    def asked(self, identity: str, operation: str, outcome: str, seconds: float) -> None:
        """A request to IAM ended: "ok" or the fault."""
        for other in _OUTCOMES:
            self._numbers.iam.add(identity, operation, other, times=0)
        self._numbers.iam.add(identity, operation, outcome)
        self._numbers.iam_seconds.setdefault(operation, Times()).add(seconds)

    def lag(self, seconds: float) -> None:
        """The event loop woke this much later than it was asked to; to be told about once a second."""
        self._numbers.lag(seconds)

    def exposition(self, accept: str, now: float) -> tuple[bytes, str]:
        """All metrics and their content type: what `accept` asks for, OpenMetrics or Prometheus' text."""
        render, content_type = self._shown().form(accept)
        fresh = self._renderings.ready_at(now, RENDERING_EVERY) <= now
        if fresh or content_type not in self._rendered:
            self._renderings = self._renderings.taken(now, RENDERING_EVERY)
            self._rendered[content_type] = render()
        return self._rendered[content_type], content_type

    def _shown(self) -> Exposition:
        if self._exposition is None:
            from broker.observability.exposition import Exposition  # noqa: PLC0415

            self._exposition = Exposition(self._numbers)
        return self._exposition
