"""The story of a lease: a change is told once, repetitions are for debugging, recovery says how long it took."""

from typing import Any

import pytest
from structlog.testing import capture_logs

from broker.core import lease
from broker.core.errors import Fault
from broker.core.events import Event, Expired, Failed, Issued, KeyChanged, Started
from broker.core.lease import Lease
from broker.observability import journal
from tests.core.builders import held


class Story:
    """A lease to which things happen, and what the journal tells of them."""

    def __init__(self) -> None:
        self.lease: Lease = lease.new("default", 0.0)
        self.now = 0.0

    def goes(self, *events: Event) -> list[dict[str, Any]]:
        with capture_logs() as told:
            for event in events:
                before, self.lease = self.lease, lease.apply(self.lease, event)
                journal.tell(before, self.lease, event.at)
        return [dict(line) for line in told]

    def fails(self, fault: Fault, times: int = 1) -> list[dict[str, Any]]:
        told = []
        for _ in range(times):
            self.now += 300
            generation = self.lease.generation
            told += self.goes(
                Started(self.now), Failed(self.now, generation, fault, f"it is {fault}", None, 0.5)
            )
        return told

    def is_issued(self, name: str = "token-1") -> list[dict[str, Any]]:
        self.now += 300
        token = held(name, sent_at=self.now)
        return self.goes(Started(self.now), Issued(self.now, self.lease.generation, token))


def levels(told: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(line["log_level"], line["event"]) for line in told]


def test_a_token_is_news_once_and_named_by_its_hash():
    story = Story()
    (line,) = story.is_issued()
    assert line == {
        "event": "token_issued",
        "log_level": "info",
        "identity": "default",
        "token_sha256": held().token.digest[:12],
        "project": "shop",
        "expires_at": "2026-01-01T12:00:00.000000Z",
        "refresh_in": 27000,
    }


def test_trouble_is_told_once_and_its_repetitions_are_counted_for_debugging():
    story = Story()
    told = story.fails(Fault.UNAVAILABLE, 3)
    assert levels(told) == [
        ("warning", "issue_failed"),
        ("debug", "issue_failed_again"),
        ("debug", "issue_failed_again"),
    ]
    assert [line["count"] for line in told] == [1, 2, 3]
    assert {(line["fault"], line["detail"], line["still_serving"]) for line in told} == {
        ("unavailable", "it is unavailable", False)
    }
    assert all(line["next_try_in"] > 0 for line in told)


def test_another_kind_of_trouble_is_news():
    story = Story()
    story.fails(Fault.UNAVAILABLE, 2)
    assert levels(story.fails(Fault.REJECTED, 2)) == [
        ("warning", "issue_failed"),
        ("debug", "issue_failed_again"),
    ]


def test_recovery_says_how_many_failures_it_ended_and_the_next_token_does_not():
    story = Story()
    story.fails(Fault.UNAVAILABLE, 4)
    (line,) = story.is_issued("token-1")
    assert (line["event"], line["after_failures"]) == ("token_issued", 4)
    (line,) = story.is_issued("token-2")
    assert "after_failures" not in line


def test_trouble_beside_a_good_token_says_that_it_is_served_on():
    story = Story()
    story.is_issued()
    assert [line["still_serving"] for line in story.fails(Fault.THROTTLED)] == [True]


@pytest.mark.parametrize("fault", Fault)
def test_the_end_of_the_last_token_is_an_error(fault: Fault):
    story = Story()
    story.is_issued()
    story.fails(fault)
    (line,) = story.goes(Expired(50000.0))
    assert (line["log_level"], line["event"]) == ("error", "token_expired")
    assert line["token_sha256"] == held().token.digest[:12]


def test_another_key_is_news_and_no_trouble():
    story = Story()
    story.fails(Fault.REJECTED)
    assert levels(story.goes(KeyChanged(story.now))) == [("info", "key_changed")]


def test_a_request_that_leaves_is_no_news():
    assert Story().goes(Started(0.0)) == []
