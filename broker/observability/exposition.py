"""The numbers as Prometheus reads them: the names, the meanings, the library. Loaded when they are first asked for.

Every name and label is declared here and in `readings`; the rest of the broker counts and knows no metric.
"""

import platform
import re
from collections.abc import Callable, Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from broker.observability.numbers import BOUNDS, Counts, Numbers, Times
from broker.observability.readings import Readings

# The library raises at a version that is no number and repeats one that it does not know in its content type.
_VERSIONS = frozenset({"0.0.1", "0.0.4", "1.0.0"})


class Exposition:
    """What a scraper is shown."""

    def __init__(self, numbers: Numbers) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Counted(numbers))
        self._registry.register(Readings(numbers.leases, numbers.audit_lost))
        self._registry.register(_Own(numbers))
        # Memory, descriptors and CPU cost three small files in /proc and are asked for in every incident. Not those of
        # the garbage collector and the platform: no alert is built on the first, and build_info tells the second.
        ProcessCollector(registry=self._registry)

    def form(self, accept: str) -> tuple[Callable[[], bytes], str]:
        """What renders the numbers of now, and its content type: OpenMetrics or Prometheus' text, as `accept` asks for."""
        encode, content_type = choose_encoder(_understood(accept))
        return lambda: encode(self._registry), content_type


class _Counted(Collector):
    """What the broker has counted since its start."""

    def __init__(self, numbers: Numbers) -> None:
        self._numbers = numbers

    def collect(self) -> Iterator[Metric]:
        """The families."""
        numbers = self._numbers
        yield _counter("broker_requests", "Requests answered, whatever the answer.", numbers.requests)
        yield _counter(
            "broker_refused",
            "Requests refused, by the code that the caller was told; access_denied means a missing grant.",
            numbers.refused,
        )
        yield _counter("broker_tokens_served", "Tokens handed out to workloads.", numbers.served)
        yield _counter(
            "broker_iam_requests",
            "Requests to IAM by how they ended: ok, unavailable, throttled, rejected, protocol.",
            numbers.iam,
        )
        seconds = HistogramMetricFamily(
            "broker_iam_request_seconds", "How long IAM took to answer or to fail.", labels=["operation"]
        )
        for operation, times in numbers.iam_seconds.items():
            seconds.add_metric([operation], _buckets(times), times.total)
        yield seconds


class _Own(Collector):
    """What the process shows of itself."""

    def __init__(self, numbers: Numbers) -> None:
        self._numbers = numbers

    def collect(self) -> Iterator[Metric]:
        """The families."""
        yield GaugeMetricFamily(
            "broker_loop_lag_seconds",
            "The longest that the event loop was late in the last minute; above 0.1 the host is overloaded.",
            value=self._numbers.longest_lag,
        )
        build = {"version": self._numbers.version, "python": platform.python_version()}
        yield InfoMetricFamily("broker_build", "The version that runs, and its Python.", value=build)


def _counter(name: str, meaning: str, counts: Counts) -> Metric:
    family = CounterMetricFamily(name, meaning, labels=counts.labels)
    for values, count in counts:
        family.add_metric(values, count)
    return family


def _buckets(times: Times) -> list[tuple[str, float]]:
    """By upper bound, how many took so long or less."""
    bounds = map(floatToGoString, (*BOUNDS, float("inf")))
    return [*zip(bounds, accumulate(times.counts), strict=True)]


def _understood(accept: str) -> str:
    """The alternatives of a stranger's header whose version, if any, is one that exists."""
    parts = accept.split(",")
    return ",".join(part for part in parts if _VERSIONS.issuperset(re.findall(r"version=([^;\s]*)", part)))
