"""The table, the picture and the exit code say what came of it, and no more."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from bench.sim import command, plot, report
from bench.sim.fleet import Fleet, FleetPlan
from bench.sim.iam import Death
from bench.sim.ledger import Ledger
from bench.sim.outcome import STRATEGIES, Outcome, Row
from bench.sim.promises import broken
from bench.sim.week import Plan, Week

ROOT = Path(__file__).parents[2]
SPREAD = Fleet((1000, *[0] * 11, 180, 160, 160, 170, 160, 170, 100), 21600.0)
HERD = Fleet((1000, *[0] * 17, 0, 0, 0, 0, 0, 1000, 1000), 32400.0)


def outcome(**ours: Any) -> Outcome:  # noqa: ANN401
    ledger = Ledger(gets=1000, revoked=7, longest_dead=70.0)
    good = Week(ledger, 24, {"issue": 30, "validate": 2000})
    bad = Week(Ledger(gets=1000, refused=100, dead=11, revoked=9, longest_dead=9000.0), 60, {"issue": 90})
    names = iter(STRATEGIES)
    first = replace(Row(next(names), good, SPREAD), **ours)
    return Outcome(Plan(), FleetPlan(), (first, *(Row(name, bad, HERD) for name in names)), good)


def test_a_failed_get_is_counted_where_it_belongs():
    ledger = Ledger()
    ledger.used(None, 0.0)
    ledger.used(Death(30.0, revoked=True), 0.0)
    ledger.used(Death(10.0, revoked=False), 0.0)
    ledger.turned_away(10.0)
    assert (ledger.gets, ledger.failed, ledger.avoidable, ledger.revoked) == (4, 3, 2, 1)
    assert (ledger.longest_dead, ledger.longest_wait) == (30.0, 10.0)


def test_the_table_has_a_line_for_each_strategy():
    head, *lines = report.rows(outcome()).splitlines()
    assert [column for column in report.HEAD if column not in head] == []
    assert [line.split("  ")[0] for line in lines] == list(STRATEGIES)
    assert re.split(r"\s{2,}", lines[0])[1:] == ["0", "7", "70 s", "24", "2,030", "180 / 167 = 1.1", "100"]
    assert re.split(r"\s{2,}", lines[1])[1:] == [
        "111",
        "9",
        "2.5 h",
        "60",
        "90",
        "1,000 / 167 = 6.0",
        "1,000",
    ]


def test_kept_promises_break_nothing():
    assert broken(outcome()) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"ledger": Ledger(refused=1)}, "1 failed GETs"),
        ({"ledger": Ledger(dead=1)}, "1 failed GETs"),
        ({"ledger": Ledger(longest_dead=400.0)}, "400 s on a dead token"),
        ({"ledger": Ledger(longest_wait=20.0)}, "took 20 s"),
        ({"issues": 31}, "31 tokens"),
    ],
)
def test_a_broken_week_is_told(change, words):
    found = broken(outcome(week=replace(outcome().ours.week, **change)))
    assert any(words in sentence for sentence in found)


def test_a_herd_is_told_and_so_is_a_later_window_that_is_worse():
    assert any("peak is 1000" in sentence for sentence in broken(outcome(fleet=HERD)))
    worse = Fleet((*SPREAD.buckets, 181), SPREAD.opens_at)
    assert any("later window" in sentence for sentence in broken(outcome(fleet=worse)))


def test_a_comparison_that_shows_nothing_is_told():
    good = outcome()
    same = replace(good, rows=(good.ours, *(replace(good.ours, name=row.name) for row in good.others)))
    assert sum("shows nothing" in sentence for sentence in broken(same)) == 4


def test_the_picture_is_well_formed_and_names_all():
    drawn = ET.fromstring(plot.svg(outcome()))  # noqa: S314
    words = {text.text for text in drawn.iter("{http://www.w3.org/2000/svg}text")}
    assert set(STRATEGIES) <= words
    assert {"0", "7", "111", "9"} <= words


@pytest.mark.parametrize(("rows", "code"), [({}, 0), ({"fleet": HERD}, 1)])
def test_the_exit_code_tells_whether_the_promises_hold(monkeypatch, capsys, tmp_path, rows, code):
    monkeypatch.setattr(command, "everything", lambda *_: outcome(**rows))
    assert command.main(["--json", "--plot", str(tmp_path / "sim.svg")]) == code
    printed = capsys.readouterr()
    assert len(json.loads(printed.out)["broken"]) == printed.err.count("promise broken") == code
    assert (tmp_path / "sim.svg").exists()


def test_readme_and_page_show_one_table_of_this_form():
    page, readme = ((ROOT / name).read_text() for name in ("docs/sim.md", "README.md"))
    shown = [line for line in page.splitlines() if line.startswith(tuple(STRATEGIES)) and "/" in line]
    assert len(shown) == len(STRATEGIES)
    for line in shown:
        cells = re.split(r"\s{2,}", line)
        assert len(cells) == len(report.HEAD)
        quoted = next(entry for entry in readme.splitlines() if entry.startswith(f"| {cells[0]} |"))
        for column in ("failed GETs", "revoked", "tokens", "fleet: peak / mean"):
            assert f" {cells[report.HEAD.index(column)]} " in quoted
