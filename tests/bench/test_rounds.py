"""What lies between the load generator and the figures: parsing, turns, goals and ticks."""

import json
from dataclasses import asdict

import pytest

from bench.speed import goals, ticks
from bench.speed.beside import beside_go, beside_stock
from bench.speed.contenders import OURS, Contender
from bench.speed.generator import Load, parse
from bench.speed.kinds import CROWDS, SIXTEEN
from bench.speed.processes import Failed
from bench.speed.throughput import rotated

KEEP, LATE = SIXTEEN[0], SIXTEEN[-1]


def load(per_second=1000.0, p99=100.0, cpu=0.5):
    return Load(1.0, int(per_second), 0, 0, per_second, p99 / 2, p99, p99 * 2, p99 * 3, cpu, 700.0)


def test_the_generators_line_is_read():
    assert parse(json.dumps(asdict(load()))) == load()
    assert load(cpu=0.5).cpu_each == 500.0


@pytest.mark.parametrize("said", ["", "{}", "[]", '{"seconds": 1', '{"open": 3}'])
def test_what_is_no_such_line_is_a_failure(said):
    with pytest.raises(Failed):
        parse(said)


def test_a_load_that_nobody_answered_is_no_figure():
    with pytest.raises(Failed, match="nothing was answered"):
        parse(json.dumps(asdict(load(per_second=0.0))))


def test_each_is_first_in_turn():
    everybody = [Contender(name, None, None) for name in "abc"]
    orders = ["".join(one.name for one in rotated(everybody, number)) for number in range(4)]
    assert orders == ["abc", "bca", "cab", "abc"]


def test_only_the_broker_has_goals():
    ours = list(beside_go(KEEP, OURS, [load(3000.0)], [load()], []))
    other = list(beside_go(KEEP, "nginx return", [load(1500.0)], [load()], []))
    assert [figure.goal for figure in ours] == [goals.KEEP_UNIX, goals.CPU_KEEP]
    assert [figure.goal.must for figure in other] == [None, None]
    assert [figure.value for figure in ours] == [3.0, pytest.approx(1 / 3)]


def test_the_aim_is_what_nginx_reached_in_this_run():
    first, _ = beside_go(KEEP, OURS, [load(3000.0)], [load()], [load(2700.0)])
    assert (first.goal.must, first.goal.aim) == (2.0, 2.7)


def test_at_a_steady_rate_lateness_counts_and_nothing_else():
    figures = list(beside_go(LATE, OURS, [load(p99=90.0)], [load(p99=100.0)], []))
    assert [figure.name.split()[0] for figure in figures] == ["p50", "p99", "p999"]
    assert [figure.goal for figure in figures if figure.goal.must] == [goals.P99]
    assert figures[1].value == pytest.approx(0.9)


def test_the_lane_is_judged_by_what_it_gains_on_kept_connections():
    assert beside_stock(KEEP, [load(9000.0)], [load()]).goal == goals.LANE
    assert beside_stock(SIXTEEN[1], [load(9000.0)], [load()]).goal.must is None


def test_no_two_kinds_share_a_name():
    names = [kind.name for kind in (*SIXTEEN, *CROWDS)]
    assert len(set(names)) == len(names)


def test_ticks_are_read_as_they_are_written():
    text = ticks.line(5_250_000, 1_999) + ticks.line(0, 0)
    assert ticks.parse(text) == [ticks.Tick(5.25, 0.001), ticks.Tick(0.0, 0.0)]
    assert ticks.parse("") == []
