"""Refusals in the log: once, then counted, within bounds of memory and lines."""

from typing import Any

import pytest
from structlog.testing import capture_logs

from broker.core.access import Workload
from broker.observability.refusals import DENIALS, MOST_REMEMBERED, PAUSE, Refusals

ROUTE = "/v1/identities/{name}/token"


class Door:
    """A door at which callers are refused, and what the log tells of them."""

    def __init__(self) -> None:
        self.refusals = Refusals()

    def refuses(
        self, now: float, *, reason: str = "access_denied", uid: int | None = 1001, listener: str = "sock"
    ) -> list[dict[str, Any]]:
        with capture_logs() as told:
            caller = None if uid is None else Workload(uid, uid, 7, listener, unit="app.service")
            self.refusals.tell(reason, caller, listener, ROUTE, now)
        return [dict(line) for line in told]


@pytest.mark.parametrize("reason", sorted(DENIALS))
def test_a_denial_is_told_at_once_with_who_where_and_why(reason: str):
    assert Door().refuses(5.0, reason=reason, uid=None) == [
        {
            "event": "refused",
            "log_level": "warning",
            "reason": reason,
            "uid": None,
            "pid": None,
            "unit": None,
            "listener": "sock",
            "route": ROUTE,
        }
    ]


@pytest.mark.parametrize("reason", ["bad_request", "not_found", "timeout", "too_large"])
def test_what_is_no_denial_is_told_at_info_as_rarely(reason: str):
    door = Door()
    told = [line for second in range(121) for line in door.refuses(float(second), reason=reason)]
    assert [line["log_level"] for line in told] == ["info"] * 3
    assert [line.get("repeated") for line in told] == [None, 60, 60]


def test_a_flood_of_bad_requests_hides_no_denial():
    door = Door()
    for uid in range(2 * MOST_REMEMBERED):
        door.refuses(0.0, reason="bad_request", uid=uid)
    [line] = door.refuses(0.0, uid=4711)
    assert (line["event"], line["uid"], line["log_level"]) == ("refused", 4711, "warning")


def test_repetitions_are_counted_and_told_once_a_minute():
    door = Door()
    told = [line for second in range(121) for line in door.refuses(float(second))]
    assert [line.get("repeated") for line in told] == [None, 60, 60]
    assert all(line["log_level"] == "warning" for line in told)


def test_another_reason_uid_or_listener_is_news():
    door = Door()
    door.refuses(0.0)
    assert door.refuses(1.0, uid=1002)
    assert door.refuses(1.0, listener="127.0.0.1:9780")
    assert door.refuses(1.0, reason="host_not_allowed")
    assert not door.refuses(1.0)


def test_lines_are_bounded_whoever_has_how_many_uids():
    door = Door()
    told = [line for uid in range(10_000) for line in door.refuses(0.0, uid=uid)]
    assert len(told) == MOST_REMEMBERED + 1
    assert told[-1] == {"event": "refused_unlisted", "log_level": "warning", "repeated": 1}
    told = [line for uid in range(5_000, 9_000) for line in door.refuses(PAUSE - 1, uid=uid)]
    assert told == []
    # The oldest may be forgotten now: as many are told as there is room for, the rest stays a count.
    told = [line for uid in range(5_000, 9_000) for line in door.refuses(PAUSE, uid=uid)]
    assert len(told) == MOST_REMEMBERED + 1
    assert told[-1]["repeated"] == 10_000 - MOST_REMEMBERED - 1 + 4_000 + 1


def test_memory_is_bounded_and_the_oldest_is_forgotten_first():
    door = Door()
    for uid in range(MOST_REMEMBERED):
        door.refuses(0.0, uid=uid)
    door.refuses(PAUSE, uid=0)  # told again: now the youngest
    door.refuses(PAUSE, uid=9999)
    assert len(door.refusals._denials.told) == MOST_REMEMBERED
    assert not door.refuses(PAUSE + 1, uid=0)
    assert "repeated" not in door.refuses(PAUSE + 1, uid=1)[0]
