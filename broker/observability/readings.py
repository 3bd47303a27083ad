"""What is read off at each scrape: the gauges of the leases, and how many lines the audit has lost.

What is not known is absent, not 0: an alert on a small number must not fire because nobody has measured yet. The one
exception is a token: where none can be served, nothing remains, and that is 0.
"""

from collections.abc import Callable, Iterable, Iterator

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from broker.core.degraded import Reason
from broker.observability.numbers import Reading

# All reasons that there are: each stands at 0 while absent, so that an alert sees it go back.
DEGRADED = tuple(sorted(reason.value for reason in Reason))


class Readings(Collector):
    """Asks for readings when it is collected, and for nothing before that."""

    def __init__(self, leases: Callable[[], Iterable[Reading]], audit_lost: Callable[[], int]) -> None:
        self._leases = leases
        self._audit_lost = audit_lost

    def collect(self) -> Iterator[Metric]:
        """The families; absent values have no sample."""
        readings = tuple(self._leases())
        yield _remaining(readings)
        yield _key_remaining(readings)
        yield _degraded(readings)
        yield _skew(readings)
        yield CounterMetricFamily(
            "broker_audit_lost",
            "Lines of the audit trail that could not be written.",
            value=self._audit_lost(),
        )


def _remaining(readings: Iterable[Reading]) -> Metric:
    family = GaugeMetricFamily(
        "broker_token_remaining_seconds",
        "How long the held token may still be served; 0: none is held, workloads get refusals.",
        labels=["identity"],
    )
    for reading in readings:
        family.add_metric([reading.identity], max(0.0, reading.remaining or 0.0))
    return family


def _key_remaining(readings: Iterable[Reading]) -> Metric:
    family = GaugeMetricFamily(
        "broker_key_remaining_seconds",
        "How long until the access key itself ends and must have been replaced; absent where nobody tells an end.",
        labels=["identity", "key"],
    )
    for reading in readings:
        # A key's place, never its id.
        for place, seconds in reading.key_remaining.items():
            family.add_metric([reading.identity, place], seconds)
    return family


def _degraded(readings: Iterable[Reading]) -> Metric:
    family = GaugeMetricFamily(
        "broker_degraded",
        "1 while the identity is not in order for this reason; tokens are served on for as long as they are good.",
        labels=["identity", "reason"],
    )
    for reading in readings:
        for reason in dict.fromkeys((*DEGRADED, *reading.degraded)):
            family.add_metric([reading.identity, reason], float(reason in reading.degraded))
    return family


def _skew(readings: Iterable[Reading]) -> Metric:
    family = GaugeMetricFamily(
        "broker_clock_skew_seconds",
        "The host's clock minus IAM's, where it is farthest off; tokens do not suffer, logs and other programs do.",
    )
    skews = [reading.skew for reading in readings if reading.skew is not None]
    if skews:
        family.add_metric([], max(skews, key=abs))
    return family
