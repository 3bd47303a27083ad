"""What the broker counts and measures, for Prometheus, under the names of INTERFACE section 6.

- Every name and label is declared here; the rest of the broker calls methods and knows no metric.
- Label values come from the configuration and from the code: identities, listeners, routes, reasons. Never a token, a
  key id or what a caller sent; a family that grows past `MOST_SERIES` all the same counts on under "other".
- A series is bound once for its labels; counting afterwards is one look-up and one addition.
- What a lease says is read at each scrape, not kept here, so that it cannot be out of date; so is what the audit lost.
- A rendering takes milliseconds in which nobody is served, and whoever reaches the port may ask for it: there are few of
  them in a second. Who asks beyond that gets the last one again.
- Reasons and outcomes stand at 0 before the first one happens: `increase()` does not see a series that is born at 1.
"""

import platform
import re
from collections import deque
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.exposition import choose_encoder

from broker.core.budget import Bucket
from broker.core.errors import Fault
from broker.observability.readings import Reading, Readings
from broker.observability.refusals import DENIALS

__all__ = ["MOST_SERIES", "Metrics", "Reading"]

# Far above what any configuration needs; memory stays bounded whatever a caller of this module does wrong.
MOST_SERIES = 4096
# From a near Keystone's answer to the default time-out of a request.
_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
# A loop that stood still for a second between two scrapes would not be seen in the latest lag alone.
_LAGS = 60
# Several scrapers at once, each with a rendering of its own; then one in so many seconds.
RENDERINGS = 5
RENDERING_EVERY = 0.2
_OK = "ok"
# The library raises at a version that is no number and repeats one that it does not know in its content type.
_VERSIONS = frozenset({"0.0.1", "0.0.4", "1.0.0"})

Child = TypeVar("Child", Counter, Histogram)


class _Family(Generic[Child]):
    """A metric with labels, each set of label values bound once."""

    def __init__(self, metric: Child, labels: int) -> None:
        self._metric: Child = metric
        self._other = ("other",) * labels
        self._children: dict[tuple[str, ...], Child] = {}

    def at(self, *values: str) -> Child:
        child = self._children.get(values)
        if child is None:
            known = values if len(self._children) < MOST_SERIES else self._other
            child = self._metric.labels(*known)
            if known is values:
                self._children[values] = child
        return child


class Metrics:
    """All metrics of one broker, in a registry of their own."""

    def __init__(
        self,
        version: str,
        leases: Callable[[], Iterable[Reading]],
        audit_lost: Callable[[], int] = int,
    ) -> None:
        """Both are called at each scrape, on the scraper's thread, and must be cheap; `audit_lost` counts lines."""
        # A switch of the whole process, in which nobody else uses the library: times of birth would double the series.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()
        self._requests = self._counter(
            "broker_requests", "Requests answered, whatever the answer.", "listener", "route", "code"
        )
        self._refused = self._counter(
            "broker_refused",
            "Requests refused, by the code that the caller was told; access_denied means a missing grant.",
            "reason",
        )
        self._served = self._counter(
            "broker_tokens_served", "Tokens handed out to workloads.", "identity", "listener"
        )
        self._iam = self._counter(
            "broker_iam_requests",
            "Requests to IAM by how they ended: ok, unavailable, throttled, rejected, protocol.",
            "identity", "operation", "outcome",
        )  # fmt: skip
        self._iam_seconds = _Family(
            Histogram(
                "broker_iam_request_seconds",
                "How long IAM took to answer or to fail.",
                ["operation"],
                buckets=_BUCKETS,
                registry=self._registry,
            ),
            1,
        )
        self._lags: deque[float] = deque(maxlen=_LAGS)
        self._renderings = Bucket.full(RENDERINGS, float("-inf"))
        # The last one by its content type, of which the library has ten, whatever it is asked for.
        self._rendered: dict[str, bytes] = {}
        self._declare_the_rest(version, leases, audit_lost)

    def requested(self, listener: str, route: str, status: int, times: int = 1) -> None:
        """Requests were answered; `route` is the route's pattern or "other"."""
        self._requests.at(listener, route, str(status)).inc(times)

    def refused(self, reason: str) -> None:
        """A request was refused with this code."""
        self._refused.at(reason).inc()

    def served(self, identity: str, listener: str, times: int = 1) -> None:
        """A token left for a workload, so many times."""
        self._served.at(identity, listener).inc(times)

    def asked(self, identity: str, operation: str, outcome: str, seconds: float) -> None:
        """A request to IAM ended: "ok" or the fault."""
        self._iam.at(identity, operation, outcome).inc()
        for other in (_OK, *Fault):
            self._iam.at(identity, operation, str(other))
        self._iam_seconds.at(operation).observe(seconds)

    def lag(self, seconds: float) -> None:
        """The event loop woke this much later than it was asked to; to be told about once a second."""
        self._lags.append(seconds)

    def exposition(self, accept: str, now: float) -> tuple[bytes, str]:
        """All metrics and their content type: what `accept` asks for, OpenMetrics or Prometheus' text."""
        encode, content_type = choose_encoder(_understood(accept))
        fresh = self._renderings.ready_at(now, RENDERING_EVERY) <= now
        if fresh or content_type not in self._rendered:
            self._renderings = self._renderings.taken(now, RENDERING_EVERY)
            self._rendered[content_type] = encode(self._registry)
        return self._rendered[content_type], content_type

    def _counter(self, name: str, meaning: str, *labels: str) -> _Family[Counter]:
        return _Family(Counter(name, meaning, labels, registry=self._registry), len(labels))

    def _declare_the_rest(
        self, version: str, leases: Callable[[], Iterable[Reading]], audit_lost: Callable[[], int]
    ) -> None:
        for reason in sorted(DENIALS):
            self._refused.at(reason)
        self._registry.register(Readings(leases, audit_lost))
        Gauge(
            "broker_loop_lag_seconds",
            "The longest that the event loop was late in the last minute; above 0.1 the host is overloaded.",
            registry=self._registry,
        ).set_function(lambda: max(self._lags, default=0.0))
        build = Info("broker_build", "The version that runs, and its Python.", registry=self._registry)
        build.info({"version": version, "python": platform.python_version()})
        # Memory, descriptors and CPU cost three small files in /proc and are asked for in every incident. Not those of
        # the garbage collector and the platform: no alert is built on the first, and build_info tells the second.
        ProcessCollector(registry=self._registry)


def _understood(accept: str) -> str:
    """The alternatives of a stranger's header whose version, if any, is one that exists."""
    parts = accept.split(",")
    return ",".join(part for part in parts if _VERSIONS.issuperset(re.findall(r"version=([^;\s]*)", part)))
