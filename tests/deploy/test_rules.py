"""The alert rules: what promtool says of them, that each is tried both ways, and that none leaves a reason untold."""

import re

import pytest

from broker.core.degraded import Reason
from tests.deploy.kit import ALERTS, FOLDER, SEVERITIES, alerts, document, needs_promtool, promtool

NAMES = [rule["alert"] for rule in alerts()]
# A matcher of the label `reason`, as the rules write it.
MATCHER = re.compile(r'broker_degraded\{reason(=~|!~|=)"([^"]*)"\}')
# Reasons that an alert on another metric tells as well.
TOLD_BY_A_NUMBER = {Reason.CLOCK_SKEW}


@needs_promtool
def test_promtool_finds_nothing_to_say():
    said = promtool("check", "rules", "--lint=all", "--lint-fatal", ALERTS)
    assert f"{len(NAMES)} rules found" in said


@needs_promtool
def test_the_rules_own_tests_pass():
    promtool("test", "rules", FOLDER / "alerts_test.yaml")


def test_each_alert_is_tried_firing_and_not_firing():
    tried: dict[str, set[bool]] = {}
    for test in document("alerts_test.yaml")["tests"]:
        for case in test["alert_rule_test"]:
            tried.setdefault(case["alertname"], set()).add(bool(case["exp_alerts"]))
    assert tried == {name: {True, False} for name in NAMES}


@pytest.mark.parametrize("rule", alerts(), ids=NAMES)
def test_each_alert_says_how_urgent_it_is_and_where_to_read_on(rule):
    assert rule["labels"]["severity"] in SEVERITIES
    assert set(rule["annotations"]) == {"summary", "description", "runbook"}
    assert "{{ $labels.instance }}" in rule["annotations"]["summary"] + rule["annotations"]["description"]
    assert rule["annotations"]["runbook"] == f"docs/runbook.md#{rule['alert'].lower()}"


@pytest.mark.parametrize("reason", Reason)
def test_each_reason_to_be_degraded_is_told_by_one_alert(reason: Reason):
    telling = [
        rule["alert"]
        for rule in alerts()
        for how, pattern in MATCHER.findall(rule["expr"])
        if bool(re.fullmatch(pattern, reason.value)) is (how != "!~")
    ]
    assert len(telling) == (reason not in TOLD_BY_A_NUMBER), telling
