"""What a scrape finds: the names and labels of INTERFACE section 6, bounded, as true as the leases are now."""

import re
import shutil
import subprocess
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from broker.core.degraded import Reason
from broker.observability.metrics import MOST_SERIES, RENDERING_EVERY, RENDERINGS, Metrics
from broker.observability.numbers import Reading
from broker.observability.readings import DEGRADED
from broker.observability.refusals import DENIALS

FINE = Reading("default", 27000.0, {"primary": 86400.0, "standby": 500.0}, (), 0.25)
EMPTY = Reading("batch", None, {}, ("iam_unavailable",), None)
OPENMETRICS = "application/openmetrics-text; version=1.0.0"
PROMETHEUS = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
LABELS = {
    "broker_token_remaining_seconds": {"identity"},
    "broker_key_remaining_seconds": {"identity", "key"},
    "broker_degraded": {"identity", "reason"},
    "broker_iam_requests_total": {"identity", "operation", "outcome"},
    "broker_iam_request_seconds_bucket": {"operation", "le"},
    "broker_iam_request_seconds_count": {"operation"},
    "broker_iam_request_seconds_sum": {"operation"},
    "broker_tokens_served_total": {"identity", "listener"},
    "broker_requests_total": {"listener", "route", "code"},
    "broker_refused_total": {"reason"},
    "broker_audit_lost_total": set(),
    "broker_clock_skew_seconds": set(),
    "broker_loop_lag_seconds": set(),
    "broker_build_info": {"version", "python"},
}


# Each look is late enough after the one before that it is a new rendering.
_NOW = count(1000.0)


def metrics(*readings: Reading) -> Metrics:
    return Metrics("1.2.3", lambda: readings)


def busy() -> Metrics:
    """Metrics with at least one sample of everything."""
    told = metrics(FINE, EMPTY)
    told.requested("/run/broker.sock", "/v1/token", 200)
    told.refused("access_denied")
    told.served("default", "/run/broker.sock")
    told.asked("default", "issue", "ok", 0.2)
    told.lag(0.01)
    return told


def families(told: Metrics) -> list[Metric]:
    body, _ = told.exposition("", next(_NOW))
    return list(text_string_to_metric_families(body.decode()))


def handed(body: bytes) -> float:
    """How many tokens a rendering counts."""
    return float(re.findall(rb"^broker_tokens_served_total\S* (\S+)", body, re.MULTILINE)[0])


def values(told: Metrics, name: str, **labels: str) -> list[float]:
    return [
        sample.value
        for family in families(told)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    ]


def test_names_and_labels_are_those_of_the_interface():
    found: dict[str, set[str]] = {}
    for family in families(busy()):
        assert family.documentation
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    ours = {name: labels for name, labels in found.items() if not name.startswith("process_")}
    assert ours == LABELS
    assert "process_resident_memory_bytes" in found


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("", "text/plain; version=0.0.4; charset=utf-8"),
        ("*/*", "text/plain; version=0.0.4; charset=utf-8"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "text/plain; version=0.0.4; charset=utf-8"),
        ("text/plain;version=0.0.4", "text/plain; version=0.0.4; charset=utf-8"),
        ("application/openmetrics-text; version=evil", "text/plain; version=0.0.4; charset=utf-8"),
        ("application/openmetrics-text; version=9.evil", "text/plain; version=0.0.4; charset=utf-8"),
        ("text/plain;version=;,,;=", "text/plain; version=0.0.4; charset=utf-8"),
        (OPENMETRICS, "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores"),
        (PROMETHEUS, "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=allow-utf-8"),
    ],
)
def test_the_format_is_the_one_asked_for_and_no_header_breaks_a_scrape(accept: str, kind: str):
    body, content_type = busy().exposition(accept, 0.0)
    assert content_type == kind
    assert body.decode().endswith("# EOF\n") is kind.startswith("application/openmetrics-text")


@pytest.mark.parametrize("told", [metrics(), busy()], ids=["fresh", "busy"])
def test_both_formats_parse(told: Metrics):
    assert families(told)
    body, _ = told.exposition(OPENMETRICS, 0.0)
    assert {family.name for family in openmetrics.text_string_to_metric_families(body.decode())} >= {
        "broker_requests",
        "broker_build",
    }


def test_counters_count_and_the_histogram_has_bounds_from_ten_milliseconds_to_ten_seconds():
    told = busy()
    told.requested("/run/broker.sock", "/v1/token", 200)
    told.asked("default", "issue", "unavailable", 10.0)
    assert values(told, "broker_requests_total", route="/v1/token", code="200") == [2.0]
    assert values(told, "broker_tokens_served_total") == [1.0]
    assert values(told, "broker_iam_requests_total", outcome="unavailable") == [1.0]
    assert values(told, "broker_iam_request_seconds_count", operation="issue") == [2.0]
    assert values(told, "broker_iam_request_seconds_bucket", le="0.01") == [0.0]
    assert values(told, "broker_iam_request_seconds_bucket", le="10.0") == [2.0]


def test_what_may_be_alerted_on_stands_at_zero_before_it_happens():
    told = metrics()
    told.asked("default", "issue", "ok", 0.2)
    assert values(told, "broker_refused_total") == [0.0] * len(DENIALS)
    assert values(told, "broker_iam_requests_total", outcome="rejected") == [0.0]
    assert values(told, "broker_audit_lost_total") == [0.0]
    assert values(told, "broker_loop_lag_seconds") == [0.0]


def test_gauges_follow_the_leases_from_scrape_to_scrape():
    readings = [FINE, EMPTY]
    told = Metrics("1.2.3", lambda: readings)
    assert values(told, "broker_token_remaining_seconds", identity="default") == [27000.0]
    assert values(told, "broker_token_remaining_seconds", identity="batch") == [0.0]
    assert values(told, "broker_degraded", identity="batch", reason="iam_unavailable") == [1.0]
    readings[:] = [Reading("default", -3.0, {}, (), None), Reading("batch", 500.0, {}, (), None)]
    assert values(told, "broker_token_remaining_seconds") == [0.0, 500.0]
    assert values(told, "broker_degraded", identity="batch") == [0.0] * len(DEGRADED)


def test_what_is_not_known_is_absent():
    told = metrics(EMPTY)
    assert values(told, "broker_key_remaining_seconds") == []
    assert values(told, "broker_clock_skew_seconds") == []


def test_the_key_is_named_by_its_place_and_the_skew_is_the_one_farthest_off():
    told = metrics(
        FINE, Reading("batch", 1.0, {"primary": 60.0}, (), -7.5), Reading("third", 1.0, {}, (), 2.0)
    )
    assert values(told, "broker_key_remaining_seconds", key="primary") == [86400.0, 60.0]
    assert values(told, "broker_key_remaining_seconds", key="standby") == [500.0]
    assert values(told, "broker_clock_skew_seconds") == [-7.5]


def test_a_reason_of_a_later_version_is_shown_too():
    told = metrics(Reading("default", 1.0, {}, ("of_a_later_version",), None))
    assert values(told, "broker_degraded", reason="of_a_later_version") == [1.0]
    assert len(values(told, "broker_degraded")) == len(DEGRADED) + 1


def test_every_reason_stands_at_zero_before_it_happens():
    told = metrics(FINE)
    for reason in Reason:
        assert values(told, "broker_degraded", identity="default", reason=reason.value) == [0.0]
    told = metrics(Reading("default", 1.0, {}, (Reason.ROLES_REDUCED, Reason.CLOCK_SKEW), None))
    assert sum(values(told, "broker_degraded")) == 2.0
    assert values(told, "broker_degraded", reason="roles_reduced") == [1.0]


def test_the_lag_is_the_longest_of_the_last_minute():
    told = metrics()
    told.lag(1.5)
    for _ in range(59):
        told.lag(0.01)
    assert values(told, "broker_loop_lag_seconds") == [1.5]
    told.lag(0.01)
    assert values(told, "broker_loop_lag_seconds") == [0.01]


def test_label_values_are_bounded_and_nothing_is_lost_past_the_bound():
    told = metrics()
    for number in range(MOST_SERIES + 50):
        told.requested("listener", f"/{number}", 404)
    told.requested("listener", "/0", 404)
    assert len(values(told, "broker_requests_total")) == MOST_SERIES + 1
    assert values(told, "broker_requests_total", route="other") == [50.0]
    assert values(told, "broker_requests_total", route="/0") == [2.0]


def test_two_brokers_in_one_process_do_not_share_their_counts():
    first, second = busy(), metrics()
    assert values(first, "broker_tokens_served_total") == [1.0]
    assert values(second, "broker_tokens_served_total") == []


@pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not on PATH (Debian package prometheus)"
)
@pytest.mark.parametrize("told", [metrics(), busy()], ids=["fresh", "busy"])
def test_promtool_finds_nothing_to_say(told: Metrics):
    body, _ = told.exposition("", 0.0)
    done = subprocess.run(["promtool", "check", "metrics"], input=body, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_five_scrapes_in_a_row_are_fresh_and_then_five_a_second():
    """A rendering holds up everybody else for milliseconds; who asks in a loop gets the last one again."""
    told, seen = metrics(), []
    for _ in range(20):
        told.served("default", "s")
        seen.append(handed(told.exposition("", 50.0)[0]))
    assert seen == [1, 2, 3, 4, 5] + [5] * 15
    assert handed(told.exposition("", 50.0 + RENDERING_EVERY)[0]) == 20
    told.served("default", "s")
    assert handed(told.exposition("", 50.0 + RENDERING_EVERY)[0]) == 20


def test_a_form_that_was_never_asked_for_is_rendered_all_the_same():
    told = metrics()
    for _ in range(RENDERINGS):
        told.exposition("", 50.0)
    assert told.exposition(OPENMETRICS, 50.0)[0].endswith(b"# EOF\n")
    assert not told.exposition("", 50.0)[0].endswith(b"# EOF\n")


PIECES = (
    "application/openmetrics-text",
    "text/plain",
    ";version=",
    "1.0.0",
    "0.0.4",
    "2",
    ";escaping=",
    "dots",
    ",",
    '"',
    " ",
)


@given(st.lists(st.lists(st.sampled_from(PIECES), max_size=9).map("".join), max_size=50))
def test_whatever_is_asked_for_few_forms_are_kept(accepts):
    told = metrics()
    for accept in accepts:
        told.exposition(accept, 0.0)
    assert len(told._rendered) <= 10
