"""The tables and the JSON say what was measured, and the page keeps all that is not between its marks."""

import json

import pytest

from bench.speed import page, report
from bench.speed.contenders import GO, OURS
from bench.speed.figures import Figure, Goal, Outcome
from bench.speed.processes import Failed

FAST = Figure("requests", OURS, "/s", (3000.0, 2000.0), GO, (1000.0, 1000.0), Goal(2.0, 3.0, at_least=True))
BIG = Figure("growth", OURS, "MiB", (1.5,), goal=Goal(1.0))
OTHER = Figure("requests", "nginx return", "/s", (1500.0, 500.0), GO, (1000.0, 1000.0))
OUTCOME = Outcome({"machine": "2 x a processor"}, (FAST, BIG, OTHER), ("moto: not here",), ())


def test_a_ratio_stands_with_its_range_and_its_goal():
    assert report.row(FAST) == (
        "requests",
        "2,500 /s",
        "1,000 /s Go net/http",
        "2.50 (2.00-3.00)",
        ">= 2.00",
        ">= 3.00",
        "yes",
    )


def test_what_is_judged_by_itself_has_its_unit():
    assert report.row(BIG) == ("growth", "1.50 MiB", "", "", "<= 1.00 MiB", "", "NO")


def test_all_that_was_and_was_not_measured_is_told():
    text = report.text(OUTCOME)
    assert "2 x a processor" in text
    assert [
        name for name in ("growth", "nginx return", "not measured: moto: not here") if name not in text
    ] == []


def test_programs_find_rounds_and_judgement():
    tree = json.loads(json.dumps(report.tree(OUTCOME)))
    assert tree["version"] == 1
    assert [each["ok"] for each in tree["figures"]] == [True, False, None]
    assert tree["figures"][0]["values"] == [3.0, 2.0]
    assert tree["figures"][0]["rounds"] == [3000.0, 2000.0]
    assert tree["failures"] == ["growth is 1.5, of which 1 is the most"]


def test_the_page_is_filled_between_its_marks_and_nowhere_else():
    once = page.filled(f"before\n{page.BEGIN}\nold\n{page.END}\nafter\n", OUTCOME)
    assert once.startswith(f"before\n{page.BEGIN}\n")
    assert once.endswith(f"{page.END}\nafter\n")
    assert "old" not in once
    assert "| requests | 2,500 /s |" in once
    assert page.filled(once, OUTCOME) == once


def test_the_picture_stands_there_too():
    text = page.filled(f"{page.BEGIN}{page.END}", OUTCOME, "figures/speed.svg")
    assert text.index("(figures/speed.svg)") < text.index(page.END)


def test_a_page_without_marks_is_left_alone():
    with pytest.raises(Failed, match="no place"):
        page.filled("nothing here", OUTCOME)
