"""The story of a lease: a change is told once, repetitions are for debugging, lasting trouble is called back to mind."""

from dataclasses import replace

import pytest

from broker.core.errors import Fault
from broker.core.events import Expired, Started
from broker.observability.journal import PATIENCE, REMIND_EVERY
from tests.core.builders import fresh, held
from tests.observability.story import Story, levels


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
        ("warning", "key_rejected"),
        ("warning", "issue_failed"),
        ("debug", "issue_failed_again"),
    ]


def test_troubles_that_take_turns_are_told_once_each():
    story = Story()
    told = [line for _ in range(3) for fault in Fault for line in story.fails(fault, every=1)]
    told = [line for line in told if line["event"] != "key_rejected"]
    assert levels(told[: len(Fault)]) == [("warning", "issue_failed")] * len(Fault)
    assert set(levels(told[len(Fault) :])) == {("debug", "issue_failed_again")}
    assert [line["count"] for line in told] == list(range(1, len(told) + 1))
    (line,) = story.is_issued()
    assert line["after_failures"] == len(told)


def test_after_a_token_the_same_trouble_is_news_again():
    story = Story()
    story.fails(Fault.UNAVAILABLE)
    story.is_issued()
    (line,) = story.fails(Fault.UNAVAILABLE)
    assert (line["log_level"], line["count"]) == ("warning", 1)


def test_the_stories_of_two_identities_are_two():
    story = Story()
    story.fails(Fault.UNAVAILABLE)
    story.lease = replace(fresh(), identity="batch")
    assert levels(story.fails(Fault.UNAVAILABLE)) == [("warning", "issue_failed")]


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


def test_a_token_near_its_end_that_cannot_be_renewed_is_a_warning_once():
    story = Story()
    story.is_issued()
    assert story.lease.held is not None
    story.now = story.lease.held.span.critical_at - 10
    told = story.fails(Fault.UNAVAILABLE, 3)
    assert levels(told) == [
        ("warning", "issue_failed"),
        ("warning", "token_expiring"),
        ("debug", "issue_failed_again"),
        ("debug", "issue_failed_again"),
    ]
    assert told[1]["expires_in"] == 4319
    assert told[1]["fault"] == "unavailable"


def test_an_outage_without_a_token_is_called_to_mind_every_hour():
    story = Story()
    story.is_issued()
    (end,) = story.expires()
    assert (end["log_level"], end["event"]) == ("error", "token_expired")
    told = story.fails(Fault.UNAVAILABLE, int(2 * REMIND_EVERY) // 60, every=60)
    reminders = [line for line in told if line["log_level"] == "error"]
    assert [(line["event"], line["for_seconds"]) for line in reminders] == [
        ("no_token", 3600),
        ("no_token", 7200),
    ]
    assert reminders[0]["detail"] == "it is unavailable"
    assert reminders[0]["count"] == 60
    story.is_issued("token-2")
    assert [line["log_level"] for line in story.fails(Fault.UNAVAILABLE)] == ["warning"]


def test_a_start_without_a_token_is_an_error_after_a_minute_and_then_hourly():
    story = Story()
    told = story.fails(Fault.REJECTED, 1 + int(PATIENCE) // 10)
    assert [line["event"] for line in told if line["log_level"] == "error"] == ["no_token"]
    assert told[-1]["for_seconds"] == 60
    assert not [line for line in story.fails(Fault.REJECTED, 359) if line["log_level"] == "error"]
    assert levels(story.fails(Fault.REJECTED))[-1] == ("error", "no_token")


@pytest.mark.parametrize("fault", Fault)
def test_the_end_of_the_last_token_is_an_error(fault: Fault):
    story = Story()
    story.is_issued()
    story.fails(fault)
    (line,) = story.goes(Expired(50000.0))
    assert (line["log_level"], line["event"]) == ("error", "token_expired")
    assert line["token_sha256"] == held().token.digest[:12]


def test_a_dead_token_is_a_warning_and_an_error_only_when_no_other_comes_within_a_minute():
    story = Story()
    story.is_issued()
    story.is_alive()
    (line,) = story.is_refused()
    assert line == {
        "event": "token_dead",
        "log_level": "warning",
        "identity": "default",
        "token_sha256": held().token.digest[:12],
        "by": "auth-tokens",
    }
    told = story.fails(Fault.UNAVAILABLE, 1 + int(PATIENCE) // 10)
    assert [line["event"] for line in told if line["log_level"] == "error"] == ["no_token"]
    assert levels(story.is_issued("token-2")) == [("info", "token_issued")]


def test_a_token_that_survived_a_restart_is_restored_and_not_issued():
    story = Story()
    (line,) = story.is_restored()
    assert (line["event"], line["log_level"], line["project"]) == ("token_restored", "info", "shop")
    assert levels(story.is_issued()) == [("info", "token_issued")]


def test_the_rejection_of_another_key_is_news_again_and_other_trouble_is_not():
    story = Story()
    story.fails(Fault.REJECTED)
    story.fails(Fault.UNAVAILABLE)
    assert levels(story.gets_key("key-2")) == [("info", "key_changed")]
    assert levels(story.fails(Fault.UNAVAILABLE, generation=3)) == [("debug", "issue_failed_again")]
    assert ("warning", "issue_failed") in levels(story.fails(Fault.REJECTED, generation=3))


def test_a_request_that_leaves_is_no_news():
    assert Story().goes(Started(0.0)) == []
