"""What the broker counted, read from its `/metrics` over the Unix socket, where no page can come."""

from collections import Counter
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families


@dataclass(frozen=True, slots=True)
class Counted:
    """One look; `answered` and `tokens` are those of loopback TCP alone."""

    refused: Counter[str]  # by reason
    answered: Counter[str]  # by status
    tokens: int
    lag: float  # seconds
    resident: int  # bytes


def read(exposition: str) -> Counted:
    """What stands in an exposition."""
    refused: Counter[str] = Counter()
    answered: Counter[str] = Counter()
    tokens, lag, resident = 0, 0.0, 0
    for family in text_string_to_metric_families(exposition):
        for sample in family.samples:
            tcp = not sample.labels.get("listener", "/").startswith("/")
            if sample.name == "broker_refused_total":
                refused[sample.labels["reason"]] += int(sample.value)
            elif sample.name == "broker_requests_total" and tcp:
                answered[sample.labels["code"]] += int(sample.value)
            elif sample.name == "broker_tokens_served_total" and tcp:
                tokens += int(sample.value)
            elif sample.name == "broker_loop_lag_seconds":
                lag = sample.value
            elif sample.name == "process_resident_memory_bytes":
                resident = int(sample.value)
    return Counted(refused, answered, tokens, lag, resident)
