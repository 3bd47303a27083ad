"""Hosts restarted at once: brokers spread their refreshes, the others come back together."""

from dataclasses import replace

from bench.sim.fleet import Fleet, FleetPlan, brokers, others
from bench.sim.loop import run
from bench.sim.others import EveryClientAlone, FiveMinutesBefore

PLAN = FleetPlan(hosts=60, hours=24.0)


def test_brokers_refresh_once_each_within_the_first_window_and_evenly():
    fleet = run(brokers(replace(PLAN, hosts=120)))
    assert fleet.buckets[0] == 120
    assert sum(fleet.window) == 120
    assert sum(fleet.buckets[1:12]) == 0
    assert fleet.peak <= 2 * fleet.mean


def test_others_all_come_back_in_one_half_hour():
    for make in (EveryClientAlone, FiveMinutesBefore):
        fleet = run(others(make, PLAN))
        assert fleet.peak == fleet.later_peak == 60
        assert fleet.mean == 10


def test_the_window_is_three_hours_and_all_that_follows_is_later():
    fleet = Fleet((9, 0, 1, 5, 3, 0, 0, 0, 7, 2), opens_at=3600.0)
    assert fleet.window == (1, 5, 3, 0, 0, 0)
    assert (fleet.mean, fleet.peak, fleet.later_peak) == (1.5, 5, 7)
