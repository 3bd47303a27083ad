"""When the service manager is told what: READY once and in time, a line that changes seldom, signs of life by the tick."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from broker.core.events import Failed, Issued, Started
from broker.core.happening import apply
from broker.core.lease import Lease
from broker.systemd.notify import Manager
from broker.systemd.told import FRESH, PATIENCE, Told
from tests.core.builders import failure, fresh, held
from tests.systemd.manager import Ears, listening

START = 1000.0


class Broker:
    """Some leases, and a line about them."""

    def __init__(self, ears: Ears, watchdog: float | None = None) -> None:
        self.leases: list[Lease] = [fresh("key-1"), fresh("key-1")]
        self.line = "2 identities"
        self.made = 0
        manager = Manager.of({"NOTIFY_SOCKET": ears.name})
        manager.watchdog = watchdog
        self.told = Told(manager, self._status, lambda: self.leases, START)
        self.told.serves(START)

    def _status(self, _: float) -> str:
        self.made += 1
        return self.line

    def gets(self, index: int) -> None:
        one = apply(self.leases[index], Started(START))
        self.leases[index] = apply(one, Issued(START, one.keys[0].generation, held(sent_at=START)))

    def fails(self, index: int) -> None:
        one = apply(self.leases[index], Started(START))
        self.leases[index] = apply(one, Failed(one.keys[0].generation, failure(START)))


@pytest.fixture
def ears(tmp_path: Path) -> Iterator[Ears]:
    with listening(tmp_path) as its:
        yield its


def test_ready_waits_for_the_first_attempt_of_each_whatever_comes_of_it(ears: Ears):
    broker = Broker(ears)
    broker.told.tick(START)
    broker.gets(0)
    broker.told.tick(START + 1)
    assert ears.heard() == []
    broker.fails(1)
    broker.line = "2 identities; degraded: iam_unavailable"
    broker.told.tick(START + 2)
    assert ears.heard() == [{"READY": "1", "STATUS": "2 identities; degraded: iam_unavailable"}]


def test_ready_does_not_wait_for_the_tick_but_for_the_sockets(ears: Ears):
    broker = Broker(ears)
    broker.told = Told(Manager.of({"NOTIFY_SOCKET": ears.name}), lambda _: "", lambda: broker.leases, START)
    broker.gets(0)
    broker.gets(1)
    broker.told.lease_changed(broker.leases[0], broker.leases[0], START)
    assert ears.heard() == []
    broker.told.serves(START)
    assert [message["READY"] for message in ears.heard()] == ["1"]
    late = Broker(ears)
    late.gets(0)
    late.gets(1)
    late.told.lease_changed(late.leases[1], late.leases[1], START)
    assert [message["READY"] for message in ears.heard()] == ["1"]


def test_an_attempt_that_hangs_is_not_waited_for_for_long(ears: Ears):
    broker = Broker(ears)
    broker.told.tick(START + PATIENCE - 0.1)
    assert ears.heard() == []
    broker.told.tick(START + PATIENCE)
    assert [message["READY"] for message in ears.heard()] == ["1"]


def test_the_line_is_told_when_it_changes(ears: Ears):
    broker = Broker(ears)
    broker.told.tick(START + PATIENCE)
    ears.heard()
    broker.told.tick(START + PATIENCE + FRESH)
    broker.line = "another"
    broker.told.tick(START + PATIENCE + 2 * FRESH)
    broker.told.tick(START + PATIENCE + 3 * FRESH)
    assert ears.heard() == [{"STATUS": "another"}]


def test_the_line_is_not_made_at_each_tick_nor_at_each_change(ears: Ears):
    """Rule: it costs a look at every identity, and a broker of a thousand has a thousand changes at its start."""
    broker = Broker(ears)
    broker.told.lease_changed(broker.leases[0], broker.leases[0], START)
    assert broker.made == 0
    for second in range(100):
        broker.told.tick(START + PATIENCE + second)
        broker.told.lease_changed(broker.leases[0], broker.leases[0], START + PATIENCE + second)
    assert broker.made == 100 / FRESH


def test_signs_of_life_come_three_times_in_the_watchdogs_time_and_by_the_tick_alone(ears: Ears):
    broker = Broker(ears, watchdog=30.0)
    for second in range(31):
        broker.told.tick(START + second)
    signs = [message for message in ears.heard() if "WATCHDOG" in message]
    assert len(signs) == 4  # at 0, 10, 20 and 30
    assert ears.heard() == []


def test_a_tick_that_is_late_gives_none(ears: Ears):
    """Rule: a loop that stands still for 25 s again and again is no living one."""
    broker = Broker(ears, watchdog=30.0)
    for second in (0, 1, 26, 27, 52, 78):
        broker.told.tick(START + second)
    signs = [message for message in ears.heard() if "WATCHDOG" in message]
    assert len(signs) == 2  # at 0 and, on time again, at 27


def test_a_tick_that_is_a_little_late_gives_one_however_short_the_time(ears: Ears):
    broker = Broker(ears, watchdog=3.0)
    for second in (0.0, 1.5, 3.6):
        broker.told.tick(START + second)
    assert sum("WATCHDOG" in message for message in ears.heard()) == 3


def test_refused_settings_are_in_the_line_until_others_are_in_force(ears: Ears):
    broker = Broker(ears)
    broker.told.tick(START + PATIENCE)
    broker.told.reloaded(START + 20, refused=True)
    broker.line = "1 identity"
    broker.told.tick(START + 40)
    broker.told.reloaded(START + 60, refused=False)
    told = "new settings were refused, see the log"
    assert [message["STATUS"] for message in ears.heard()] == [
        "2 identities", f"2 identities; {told}", f"1 identity; {told}", "1 identity",
    ]  # fmt: skip


def test_without_a_watchdog_there_are_none(ears: Ears):
    broker = Broker(ears)
    for second in range(31):
        broker.told.tick(START + second)
    assert not any("WATCHDOG" in message for message in ears.heard())


def test_a_reload_is_told_at_both_ends_but_not_before_ready(ears: Ears):
    broker = Broker(ears)
    broker.told.reloading()
    broker.told.reloaded(START, refused=False)
    assert ears.heard() == []
    broker.told.tick(START + PATIENCE)
    broker.told.reloading()
    broker.line = "3 identities"
    broker.told.reloaded(START + 20, refused=False)
    assert [next(iter(message)) for message in ears.heard()] == ["READY", "RELOADING", "READY"]


def test_after_stopping_nothing_is_told(ears: Ears):
    broker = Broker(ears, watchdog=1.0)
    broker.told.tick(START + PATIENCE)
    ears.heard()
    broker.told.stopping(20.0)
    assert [message["STOPPING"] for message in ears.heard()] == ["1"]
    broker.told.tick(START + PATIENCE + 5)
    broker.told.reloaded(START + PATIENCE + 5, refused=False)
    assert ears.heard() == []


def test_a_token_that_is_held_is_decided(ears: Ears):
    broker = Broker(ears)
    broker.leases = [replace(fresh("key-1"), held=held())]
    broker.told.tick(START)
    assert len(ears.heard()) == 1
