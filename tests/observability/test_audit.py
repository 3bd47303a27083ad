"""The audit trail: what a line says, when it comes, and that neither lines nor memory grow with what callers do."""

import sys
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.core.access import Workload
from broker.observability.audit import Audit
from broker.observability.tally import BURST, MOST_KINDS
from tests.fakes.clock import EPOCH
from tests.observability.trail import CALLER, DIGEST, Kept

OTHERS = {
    "uid": None, "gid": None, "pid": None, "unit": None, "container": None, "listener": None, "identity": None,
    "by": "others", "token_sha256": None, "life_left": None,
}  # fmt: skip


class Trail:
    """An audit whose time a test tells, and all its lines."""

    def __init__(self) -> None:
        self.now = 0.0
        self.kept = Kept()
        self.audit = Audit(self.kept, self.wall)

    def wall(self) -> datetime:
        return EPOCH + timedelta(seconds=self.now)

    def handed(self, caller: Workload = CALLER, digest: str = DIGEST, times: int = 1) -> None:
        self.audit.handed(caller, "default", "grants[2]", digest, 1234.9, self.now, times)

    def refused(self, caller: Workload | None = CALLER, reason: str = "access_denied") -> None:
        self.audit.refused(caller, "/run/b.sock", "default", reason, "no grant", self.now)

    def goes(self, seconds: float) -> None:
        """Time passes in ticks of a second."""
        end = self.now + seconds
        while self.now < end:
            self.now = min(end, self.now + 1)
            self.audit.tick(self.now)


def other(uid: int) -> Workload:
    return Workload(uid, 1002, 77, "/run/b.sock")


def test_a_hand_out_says_who_got_what_by_which_rule_and_for_how_long():
    trail = Trail()
    trail.handed()
    assert trail.kept.lines == [
        {
            "time": "2026-01-01T00:00:00.000Z",
            "event": "token",
            "uid": 1001,
            "gid": 1002,
            "pid": 77,
            "unit": "app.service",
            "container": "c" * 64,
            "listener": "/run/b.sock",
            "identity": "default",
            "decision": "allowed",
            "by": "grants[2]",
            "token_sha256": "0123456789ab",
            "life_left": 1234,
            "times": 1,
            "since": None,
            "aggregated": True,
        }
    ]


def test_a_refusal_says_why_and_of_whom_nothing_is_proven_nothing_is_said():
    trail = Trail()
    trail.audit.refused(CALLER, "/run/b.sock", None, "host_not_allowed", "gate host", 0.0)
    trail.audit.refused(None, "127.0.0.1:9780", "default", "caller_unknown", "proof", 0.0)
    first, second = trail.kept.lines
    said = {
        "event": "refusal",
        "decision": "host_not_allowed",
        "by": "gate host",
        "identity": None,
        "uid": 1001,
    }
    assert said.items() <= first.items()
    nobody = dict.fromkeys(("uid", "gid", "pid", "unit", "container", "token_sha256", "life_left"))
    said = {"listener": "127.0.0.1:9780", "identity": "default", "decision": "caller_unknown", "by": "proof"}
    assert (nobody | said).items() <= second.items()
    assert first.keys() == second.keys()


def test_a_caller_that_asks_ten_thousand_times_a_second_costs_two_lines_in_the_first_minute_and_one_in_each_after():
    trail = Trail()
    for _ in range(180):
        for _ in range(50):
            trail.handed()
        trail.handed(times=9950)
        trail.goes(1)
    assert trail.kept.times() == [1, 600_000 - 1, 600_000, 600_000]
    assert [line["since"] for line in trail.kept.lines] == [
        None,
        "2026-01-01T00:00:00.000Z",
        "2026-01-01T00:01:00.000Z",
        "2026-01-01T00:02:00.000Z",
    ]


def test_a_line_has_the_time_the_pid_and_the_life_of_the_last_request_that_it_stands_for():
    trail = Trail()
    trail.handed()
    trail.goes(20)
    trail.handed()
    trail.goes(20)
    late = Workload(1001, 1002, 99, "/run/b.sock", unit="app.service", container="c" * 64)
    trail.audit.handed(late, "default", "grants[2]", DIGEST, 7.2, trail.now)
    trail.goes(20)
    line = trail.kept.lines[-1]
    assert (line["pid"], line["life_left"], line["times"]) == (99, 7, 2)
    assert (line["since"], line["time"]) == ("2026-01-01T00:00:20.000Z", "2026-01-01T00:00:40.000Z")


def test_one_that_comes_again_within_the_minute_is_told_as_itself():
    trail = Trail()
    trail.handed()
    trail.goes(30)
    trail.handed()
    trail.goes(30)
    assert [(line["times"], line["since"], line["time"][17:19]) for line in trail.kept.lines] == [
        (1, None, "00"),
        (1, None, "30"),
    ]


def test_who_comes_less_than_once_a_minute_is_told_at_once_each_time():
    trail = Trail()
    for _ in range(3):
        trail.handed()
        assert (
            trail.kept.lines[-1]["time"]
            == f"2026-01-01T00:{int(trail.now) // 60:02}:{int(trail.now) % 60:02}.000Z"
        )
        trail.goes(61)
    assert trail.kept.times() == [1, 1, 1]
    assert not trail.audit._tokens._kinds


@pytest.mark.parametrize(
    "change",
    [{"uid": 9}, {"gid": 9}, {"unit": "b.service"}, {"container": "d" * 64}, {"listener": "[::1]:9780"}],
)
def test_whoever_differs_has_a_line_at_once(change: dict[str, object]):
    trail = Trail()
    trail.handed()
    trail.handed(Workload(**{"uid": 1001, "gid": 1002, "pid": 77, "listener": "/run/b.sock", **change}))  # type: ignore[arg-type]
    assert len(trail.kept.lines) == 2


def test_another_identity_rule_token_or_reason_is_news_and_another_pid_is_not():
    trail = Trail()
    trail.handed()
    trail.handed(digest="f" * 64)
    trail.audit.handed(CALLER, "shop", "grants[2]", DIGEST, 1.0, 0.0)
    trail.audit.handed(CALLER, "default", "grants[3]", DIGEST, 1.0, 0.0)
    trail.refused()
    trail.refused(reason="host_not_allowed")
    assert len(trail.kept.lines) == 6
    trail.handed(Workload(1001, 1002, 78, "/run/b.sock", unit="app.service", container="c" * 64))
    assert len(trail.kept.lines) == 6


def test_a_flood_of_a_hundred_thousand_calls_of_as_many_callers_costs_few_lines_and_little_memory():
    trail = Trail()
    for uid in range(100_000):
        trail.refused(other(uid))
    assert len(trail.kept.records) == BURST
    assert len(trail.audit._refusals._kinds) == MOST_KINDS
    assert len(trail.audit._refusals._others) == 1
    trail.goes(3600)
    # Half a line a second is the budget; what waits for it is not dropped, and the rest is one line.
    told = [line for line in trail.kept.lines if line["by"] == "others"]
    assert [line["times"] for line in told] == [100_000 - MOST_KINDS]
    assert OTHERS.items() <= told[0].items()
    assert (told[0]["event"], told[0]["decision"]) == ("refusal", "access_denied")
    assert len(trail.kept.records) == MOST_KINDS + 1
    assert not trail.audit._refusals._kinds


def test_a_day_of_everything_stays_within_the_lines_that_the_docstring_counts():
    trail = Trail()
    reasons = [f"reason-{number}" for number in range(20)]
    for second in range(1200):
        for uid in range(second * 50, second * 50 + 50):
            trail.refused(other(uid), reasons[uid % 20])
            trail.handed(other(uid))
        trail.goes(1)
    most = 600 + 5 * 1200 + 600 + 2 * 1200 + 20 * (21 + 1)
    assert 0.9 * most < len(trail.kept.records) <= most


def test_a_flood_of_refusals_hides_no_hand_out():
    trail = Trail()
    for uid in range(5_000):
        trail.refused(other(uid))
    trail.handed()
    assert trail.kept.lines[-1]["event"] == "token"


def test_a_kind_without_a_line_of_the_burst_waits_for_its_turn_and_counts_on():
    trail = Trail()
    for uid in range(BURST + 1):
        trail.refused(other(uid))
    trail.refused(other(BURST))
    assert len(trail.kept.records) == BURST
    trail.goes(60)
    assert [(line["uid"], line["times"]) for line in trail.kept.lines[BURST:]] == [(BURST, 2)]


def test_the_end_tells_all_that_waits():
    trail = Trail()
    for uid in range(MOST_KINDS + 5):
        trail.refused(other(uid))
    for _ in range(3):
        trail.handed()
    trail.audit.close()
    assert sum(trail.kept.times()) == MOST_KINDS + 5 + 3  # type: ignore[arg-type]
    assert not trail.audit._refusals._kinds
    assert not trail.audit._refusals._others


def test_a_wall_clock_that_is_set_back_changes_no_minute():
    trail = Trail()
    trail.handed()
    trail.audit._wall = lambda: datetime(2020, 1, 1, tzinfo=UTC)
    trail.handed()
    trail.goes(60)
    assert trail.kept.times() == [1, 1]
    assert trail.kept.lines[-1]["time"] == "2020-01-01T00:00:00.000Z"


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("hand"), st.integers(0, 40), st.integers(1, 5)),
        st.tuples(st.just("refuse"), st.integers(0, 40), st.integers(1, 40)),
        st.tuples(st.just("wait"), st.integers(1, 90), st.just(0)),
    ),
    max_size=60,
)


@settings(max_examples=200, deadline=None)
@given(STEPS)
def test_every_request_is_in_exactly_one_line(steps: list[tuple[str, int, int]]):
    trail, asked = Trail(), Counter[str]()
    with pytest.MonkeyPatch.context() as patch:
        # So small that all bounds are met often.
        patch.setattr("broker.observability.tally.MOST_KINDS", 6)
        patch.setattr("broker.observability.tally.BURST", 4)
        for step, number, times in steps:
            if step == "wait":
                trail.goes(number)
            elif step == "hand":
                trail.handed(other(number), times=times)
                asked["token"] += times
            else:
                for _ in range(times):
                    trail.refused(other(number % 7), reason=("access_denied", "host_not_allowed")[number % 2])
                asked["refusal"] += times
        trail.audit.close()
    told = Counter[str]()
    for line in trail.kept.lines:
        told[line["event"]] += line["times"]
        assert (line["since"] is None) == (line["times"] == 1)
    assert told == asked


def test_memory_of_all_kinds_is_less_than_two_megabytes():
    trail = Trail()
    for number in range(MOST_KINDS):
        trail.handed(
            Workload(number, number, number, "/" + "l" * 106, unit="u" * 255, container=f"{number:064}")
        )
    kinds = trail.audit._tokens._kinds
    texts = {id(text): sys.getsizeof(text) for kind in kinds for text in kind if isinstance(text, str)}
    held = sum(
        sys.getsizeof(kind) + sys.getsizeof(count) + sys.getsizeof(count.last)
        for kind, count in kinds.items()
    )
    assert sum(texts.values()) + held + sys.getsizeof(kinds) < 1_000_000
