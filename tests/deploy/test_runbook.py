"""Whoever is called finds the alert that called in the runbook, with what to do, and nothing there is about no alert."""

import re
from pathlib import Path

import pytest

from broker.core.degraded import Reason
from tests.deploy.kit import alerts

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/runbook.md").read_text()
RULES = {rule["alert"]: rule for rule in alerts()}
SECTIONS = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
LINK = re.compile(r"\[(\w+)\]\(#(\w+)\)")


def test_each_alert_has_a_section_and_each_section_an_alert():
    assert list(SECTIONS) == list(RULES)


@pytest.mark.parametrize("alert", RULES)
def test_a_section_says_what_it_means_what_to_look_at_and_what_to_do(alert: str):
    parts = re.findall(r"^\*\*(Means|Look at|Do|It is over when)\b", SECTIONS[alert], re.MULTILINE)
    assert parts == ["Means", "Look at", "Do", "It is over when"]


def test_the_overview_has_each_alert_under_its_severity():
    listed = {
        severity: [f"KakaoCloudBroker{name}" for name, _ in LINK.findall(row)]
        for severity, row in re.findall(r"^\| (critical|warning|info) \|(.*)$", PAGE, re.MULTILINE)
    }
    for severity, names in listed.items():
        assert names == [name for name, rule in RULES.items() if rule["labels"]["severity"] == severity]
    assert sum(map(len, listed.values())) == len(RULES)


def test_links_within_the_page_lead_to_the_section_that_they_name():
    for name, anchor in LINK.findall(PAGE):
        assert f"KakaoCloudBroker{name}" in SECTIONS
        assert anchor == f"KakaoCloudBroker{name}".lower()


@pytest.mark.parametrize("reason", Reason)
def test_what_to_do_is_said_for_each_reason_where_its_alert_leads(reason: Reason):
    told = [
        alert for alert, text in SECTIONS.items() if re.search(rf"^\| .*`{reason}`.* \|", text, re.MULTILINE)
    ]
    alone = {
        Reason.KEY_REJECTED: "KakaoCloudBrokerKeyRejected",
        Reason.CLOCK_SKEW: "KakaoCloudBrokerClockSkew",
    }
    leads = [alone[reason]] if reason in alone else told
    assert len(leads) == 1
    expression = RULES[leads[0]]["expr"]
    if pattern := re.search(r'reason(=~?|!~)"([^"]*)"', expression):
        assert bool(re.fullmatch(pattern[2], reason)) is (pattern[1] != "!~"), (reason, leads)


def test_the_operators_page_leads_here_and_repeats_no_rule():
    page = (ROOT / "docs/observe.md").read_text()
    assert "(runbook.md)" in page
    for rule in RULES.values():
        assert rule["expr"] not in page
