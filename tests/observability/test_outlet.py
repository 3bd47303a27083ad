"""The outlet: whoever puts a line never waits, and what is lost is counted and told as soon as lines are written again."""

import errno
import os
import time
from collections.abc import Iterator
from datetime import datetime
from threading import active_count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.core.access import Workload
from broker.observability import outlet
from broker.observability.audit import Audit
from broker.observability.outlet import MOST_BYTES, MOST_LINES, Outlet
from broker.observability.record import record
from tests.fakes.clock import EPOCH
from tests.observability.trail import DIGEST, Gate, numbered, until

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def wall() -> datetime:
    return EPOCH


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    """With pauses that no test waits for; at the end its thread has gone."""
    monkeypatch.setattr(outlet, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(outlet, "LONGEST_PAUSE", 0.004)
    threads, gate = active_count(), Gate()
    yield gate
    gate.open.set()
    until(lambda: active_count() == threads)
    assert gate.closed.is_set()


def shut(gate: Gate) -> Outlet:
    """An outlet whose thread hangs in the write of a first record."""
    gate.open.clear()
    out = Outlet(gate, wall)
    out.put(numbered(0))
    assert gate.entered.wait(10)
    return out


def test_lines_are_written_in_their_order(gate: Gate):
    out = Outlet(gate, wall)
    given = [numbered(number) for number in range(500)]
    for each in given:
        out.put(each)
    out.close()
    assert gate.written == given
    assert (out.lost, out.untold, out.trouble) == (0, 0, None)


def test_while_a_write_hangs_lines_are_taken_up_to_the_bound_and_the_rest_is_counted(gate: Gate):
    out = shut(gate)
    for number in range(MOST_LINES + 1_000):
        out.put(numbered(number, times=3))
    assert len(out._queue) == MOST_LINES
    assert out.lost == 1_000
    assert out.trouble == (
        "the audit trail cannot be written to the gate (it takes fewer lines than come); mend None"
    )
    gate.open.set()
    until(lambda: out.trouble is None)
    out.close()
    told = gate.written[1]
    assert told.fields["event"] == "lost"
    assert (told.fields["lines"], told.fields["requests"]) == (1_000, 3_000)
    assert len(gate.written) == 1 + 1 + MOST_LINES


def test_long_lines_are_bounded_by_their_bytes(gate: Gate):
    out = shut(gate)
    long = record({"event": "token", **{f"text{number}": "x" * 255 for number in range(14)}}, 1)
    for _ in range(MOST_LINES):
        out.put(long)
    assert out._bytes <= MOST_BYTES
    assert len(out._queue) == MOST_BYTES // len(long.line)
    assert out.lost == MOST_LINES - len(out._queue)
    gate.open.set()
    out.close()
    assert out._bytes == 0


def test_a_line_that_cannot_be_written_is_lost_and_the_first_one_that_is_says_so(gate: Gate):
    out = Outlet(gate, wall)
    out.put(numbered(1))
    until(lambda: gate.written)
    gate.error = FULL
    out.put(numbered(2, times=40))
    until(lambda: out.trouble)
    assert out.trouble == "the audit trail cannot be written to the gate (no space left on device); mend 28"
    out.put(numbered(3))
    assert (out.lost, out.untold) == (1, 1)
    gate.error = None
    until(lambda: out.trouble is None)
    out.close()
    assert gate.events() == ["token", "lost", "token"]
    lost, last = gate.written[1:]
    assert (lost.fields["lines"], lost.fields["requests"]) == (1, 40)
    assert last.fields["number"] == 3
    assert (out.lost, out.untold) == (1, 0)


def test_it_is_tried_again_although_nobody_asks_for_anything(gate: Gate):
    gate.error = FULL
    out = Outlet(gate, wall)
    out.put(numbered(1))
    until(lambda: out.trouble)
    gate.error = None
    until(lambda: gate.written)
    until(lambda: out.trouble is None)
    assert gate.events() == ["lost"]
    out.close()


def test_what_is_lost_while_the_loss_is_being_told_is_told_next(gate: Gate):
    gate.error = FULL
    out = Outlet(gate, wall)
    out.put(numbered(1))
    until(lambda: out.trouble)
    gate.watch = lambda: out.trouble is not None
    gate.open.clear()
    gate.entered.clear()
    assert gate.entered.wait(10)  # in the line that tells of one
    gate.error, here = None, len(gate.seen) - 1
    for number in range(MOST_LINES + 2):
        out.put(numbered(number))
    gate.open.set()
    out.close()
    told = [given.fields["lines"] for given in gate.written if given.fields["event"] == "lost"]
    assert told == [1, 2]
    assert gate.events()[:3] == ["lost", "lost", "token"]
    assert gate.seen[here : here + 3] == [True, True, False], "it is trouble until all of it is told"


def test_pauses_grow_to_a_bound_and_begin_anew(gate: Gate, monkeypatch: pytest.MonkeyPatch):
    pauses: list[float] = []
    out = Outlet(gate, wall)
    wait_for = out._changed.wait_for

    def noted(predicate: object, timeout: float | None = None) -> object:
        if timeout is not None:
            pauses.append(timeout)
        return wait_for(predicate, timeout)  # type: ignore[arg-type]

    monkeypatch.setattr(out._changed, "wait_for", noted)
    gate.error = FULL
    out.put(numbered(1))
    until(lambda: len(pauses) > 4)
    assert pauses[:5] == [0.001, 0.002, 0.004, 0.004, 0.004]
    gate.error = None
    until(lambda: out.trouble is None)
    pauses.clear()
    gate.error = FULL
    out.put(numbered(2))
    until(lambda: pauses)
    assert pauses[0] == 0.001
    out.close()


def test_the_end_waits_no_longer_than_its_deadline_for_a_disk_that_is_dead(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(outlet, "DEADLINE", 0.05)
    out = shut(gate)
    for number in range(1, 10):
        out.put(numbered(number))
    began = time.monotonic()
    out.close()
    assert time.monotonic() - began < 1.0
    assert (out.lost, out.untold) == (10, 10)
    gate.open.set()
    until(gate.closed.is_set)
    # It came round too late, and is not counted twice; what was given up is not written after all.
    assert len(gate.written) == 1
    assert out.lost == 10


def test_the_end_tries_once_more_and_counts_what_is_left(gate: Gate, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(outlet, "FIRST_PAUSE", 3600.0)
    monkeypatch.setattr(outlet, "LONGEST_PAUSE", 3600.0)
    gate.error = FULL
    out = Outlet(gate, wall)
    for number in range(5):
        out.put(numbered(number))
    until(lambda: out.trouble)
    out.close()
    assert (out.lost, out.untold, gate.written) == (5, 5, [])


def test_the_end_after_a_mended_disk_writes_what_waited(gate: Gate, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(outlet, "FIRST_PAUSE", 3600.0)
    monkeypatch.setattr(outlet, "LONGEST_PAUSE", 3600.0)
    gate.error = FULL
    out = Outlet(gate, wall)
    for number in range(5):
        out.put(numbered(number))
    until(lambda: out.trouble)
    gate.error = None
    out.close()
    assert gate.events() == ["lost", *["token"] * 4]
    assert (out.lost, out.untold) == (1, 0)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_defect_of_a_sink_is_told_and_costs_nobody_a_token(gate: Gate, monkeypatch: pytest.MonkeyPatch):
    def defect(_record: object) -> None:
        raise ValueError("a defect")

    monkeypatch.setattr(gate, "write", defect)
    out = Outlet(gate, wall)
    out.put(numbered(1))
    until(lambda: out.trouble)
    assert "please report it" in str(out.trouble)
    for number in range(MOST_LINES + 10):
        out.put(numbered(number))
    out.close()
    assert out.lost == MOST_LINES + 11


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), st.integers(0, 12), st.integers(1, 50)),
        st.tuples(st.sampled_from(["breaks", "hangs", "works", "ticks"]), st.just(0), st.just(0)),
    ),
    max_size=40,
)


@settings(max_examples=60, deadline=None)
@given(steps=STEPS)
def test_each_request_is_in_a_line_or_among_the_lost_whatever_fails_when(steps: list[tuple[str, int, int]]):
    """With a real thread: the sum of `times`, what is told as lost and what the end could not tell is what was asked."""
    gate, asked, now = Gate(), 0, 0.0
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "MOST_LINES": 4,
            "FIRST_PAUSE": 0.001,
            "LONGEST_PAUSE": 0.002,
            "DEADLINE": 0.2,
        }.items():
            patch.setattr(outlet, name, value)
        out = Outlet(gate, wall)
        audit = Audit(out, wall)
        for step, uid, times in steps:
            if step == "ask":
                audit.handed(Workload(uid, 0, 1, "/s"), "default", "owner", DIGEST, 1.0, now, times)
                asked += times
            elif step == "ticks":
                now += 30
                audit.tick(now)
            else:
                gate.error = FULL if step == "breaks" else None
                (gate.open.clear if step == "hangs" else gate.open.set)()
        gate.open.set()
        audit.close()
        out.close()
    told = [given.fields for given in gate.written if given.fields["event"] == "lost"]
    requests, lines = (sum(int(str(each[name])) for each in told) for name in ("requests", "lines"))
    assert sum(given.times for given in gate.written) + requests + out._untold[1] == asked
    assert lines + out.untold == out.lost
