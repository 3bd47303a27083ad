"""The dashboard shows each metric that a real broker has, and asks for none that it has not."""

import json
import re
from collections.abc import Iterator
from itertools import combinations
from typing import Any

from tests.app.whole import get
from tests.deploy.kit import FOLDER, alerts, document, metrics_in, needs_promtool
from tests.deploy.recording import Recording, World, recording

DASHBOARD: dict[str, Any] = json.loads((FOLDER / "dashboard.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
VARIABLES = {variable["name"]: variable for variable in DASHBOARD["templating"]["list"]}
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
SERIES = re.compile(r"([a-z_]+)\{(.*)\}")
LABEL = re.compile(r'(\w+)="')
# What Grafana puts in place of these; all of a variable is `.*`.
FILLED_IN = {"$job": ".*", "$instance": ".*", "$identity": ".*", "$__rate_interval": "5m", "$__range": "24h"}


def expressions() -> Iterator[tuple[str, str]]:
    """The title of each panel with each of its queries."""
    for panel in PANELS:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]


def filled_in(expression: str) -> str:
    for name, value in FILLED_IN.items():
        expression = expression.replace(name, value)
    assert "$" not in expression, expression
    return expression


async def busy(world: World) -> Recording:
    """A broker of which every metric has a sample, and one reason to be degraded."""
    key = world.iam.realm.add_key(world.iam.user.id, lifetime=86400)
    async with recording(world, world.key(key)) as story:
        await story.pass_minutes(2)
        assert (await get(world.folder / "s", "/v1/token"))[0] == 200
        assert (await get(world.folder / "s", "/v1/identities/other/token"))[0] == 403
        world.iam.faults.add("503")
        await story.pass_minutes(8)
    return story


def labels_of(story: Recording) -> dict[str, set[frozenset[str]]]:
    """The names of the labels that each metric has."""
    found: dict[str, set[frozenset[str]]] = {}
    for series in story.series.names:
        if match := SERIES.fullmatch(series):
            found.setdefault(match[1], set()).add(frozenset(LABEL.findall(match[2])))
    return found


async def test_each_metric_has_a_panel_and_none_is_asked_for_that_is_not_there(world: World):
    there = set(labels_of(await busy(world))) - {"up"}
    shown = {metric for _, expression in expressions() for metric in metrics_in(expression)}
    assert shown == there
    for rule in alerts():
        assert metrics_in(rule["expr"]) <= there, rule["alert"]
    for variable in VARIABLES.values():
        assert metrics_in(str(variable["query"])) <= there, variable["name"]


async def test_the_series_of_the_rules_own_tests_look_like_those_of_a_broker(world: World):
    there = labels_of(await busy(world))
    for test in document("alerts_test.yaml")["tests"]:
        for series in test["input_series"]:
            match = SERIES.fullmatch(series["series"])
            assert match, series
            assert frozenset(LABEL.findall(match[2])) in there[match[1]], series


@needs_promtool
async def test_each_query_finds_something_in_what_a_broker_told(world: World):
    story = await busy(world)
    for _, expression in expressions():
        story.series.shows(filled_in(expression))
    story.series.verify(world.folder / "recorded.yaml")


async def test_legends_name_labels_that_there_are(world: World):
    there = labels_of(await busy(world))
    for panel in PANELS:
        for target in panel["targets"]:
            names = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            # Whatever is summed up by some labels has lost the others.
            if kept := re.findall(r"\bby \(([^)]*)\)", target["expr"]):
                assert all(names <= set(labels.split(", ")) for labels in kept), panel["title"]
            for metric in metrics_in(target["expr"]):
                assert all(names <= labels for labels in there[metric]), (panel["title"], metric)


def test_each_panel_says_what_it_shows_and_in_what_unit():
    for panel in PANELS:
        assert panel["title"]
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
    titles = [panel["title"] for panel in PANELS]
    assert len(set(titles)) == len(titles)


def test_seconds_are_shown_as_such_and_counters_as_rates():
    for panel in PANELS:
        unit = panel["fieldConfig"]["defaults"]["unit"]
        for target in panel["targets"]:
            if re.search(r"_seconds\{", target["expr"]):
                assert unit == "s", panel["title"]
            if "_total{" in target["expr"]:
                assert re.search(r"\b(rate|increase)\(", target["expr"]), panel["title"]


def test_it_can_be_imported_wherever_prometheus_is_scraped():
    """The data source, the job, the instance and the identity are the reader's to choose."""
    assert list(VARIABLES) == ["datasource", "job", "instance", "identity"]
    assert VARIABLES["datasource"]["type"] == "datasource"
    asked = [panel["datasource"] for panel in PANELS]
    asked += [target["datasource"] for panel in PANELS for target in panel["targets"]]
    asked += [variable["datasource"] for name, variable in VARIABLES.items() if name != "datasource"]
    assert all(source == SOURCE for source in asked)
    for title, expression in expressions():
        assert expression.count("{") == expression.count('{job=~"$job", instance=~"$instance"'), title
    assert DASHBOARD["schemaVersion"] >= 41
    assert "id" not in DASHBOARD, "the number of one Grafana"


def test_no_two_panels_lie_on_each_other():
    places = [panel["gridPos"] for panel in DASHBOARD["panels"]]
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(places)
    for one, other in combinations(places, 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or below, (one, other)
