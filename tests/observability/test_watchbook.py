"""What is told of validation, roles and reports: each change once, its repetitions not at all."""

from dataclasses import replace

from broker.core.errors import Fault
from broker.core.watch import MISTRUST, Method
from tests.core.builders import held
from tests.observability.story import Story, levels


def test_a_token_that_lives_is_no_news():
    story = Story()
    story.is_issued()
    assert story.is_alive() == []
    assert story.is_alive() == []


def test_iam_that_cannot_be_asked_is_told_once_of_a_kind_and_its_return_too():
    story = Story()
    story.is_issued()
    story.is_alive()
    told = [
        line for fault in (Fault.UNAVAILABLE, Fault.THROTTLED) * 3 for line in story.is_refused(fault=fault)
    ]
    assert [(line["log_level"], line["event"], line["fault"]) for line in told] == [
        ("warning", "validation_failed", "unavailable"),
        ("warning", "validation_failed", "throttled"),
    ]
    assert (told[0]["detail"], told[0]["next_try_in"] > 0) == ("it is unavailable", True)
    assert levels(story.is_alive()) == [("info", "validation_resumed")]
    assert levels(story.is_refused(fault=Fault.UNAVAILABLE)) == [("warning", "validation_failed")]


def test_a_new_token_ends_the_trouble_of_the_one_before_without_a_word():
    story = Story()
    story.is_issued()
    story.is_refused(fault=Fault.UNAVAILABLE)
    assert levels(story.is_issued("token-2")) == [("info", "token_issued")]


def test_a_method_that_is_refused_gives_way_and_the_last_one_turns_validation_off_once_a_key():
    story = Story("key-1", "key-2")
    story.is_issued()
    (line,) = story.is_refused(Method.AUTH_TOKENS, forbidden=True, fault=Fault.PROTOCOL)
    assert (line["log_level"], line["event"]) == ("info", "validation_stepped_down")
    assert (line["method"], line["to"]) == ("auth-tokens", "projects")
    (line,) = story.is_refused(Method.PROJECTS)
    assert (line["log_level"], line["event"], line["because"]) == ("warning", "validation_off", "refused")
    # The next token of this key finds the same; another key's is news.
    story.is_issued("token-2")
    assert story.is_refused(Method.AUTH_TOKENS) == story.is_refused(Method.PROJECTS) == []
    story.gets_key("key-3")
    story.is_issued("token-3", generation=3)
    assert levels(story.is_refused(Method.AUTH_TOKENS)) == [("info", "validation_stepped_down")]
    assert levels(story.is_refused(Method.PROJECTS)) == [("warning", "validation_off")]
    # The first key's return after all would be news: nothing is remembered of what is gone.
    assert len(story.journal._watchbook._told["default"].off) == 1


def test_a_method_that_worked_in_between_is_news_when_it_is_believed_no_more():
    story = Story()
    story.is_issued()
    assert levels(story.is_refused(Method.AUTH_TOKENS)) == [("info", "validation_stepped_down")]
    story.is_issued("token-2")
    story.is_alive(Method.AUTH_TOKENS)
    told = []
    for number in range(MISTRUST + 1):
        told += story.is_refused(Method.AUTH_TOKENS)
        if story.lease.held is None:
            story.is_issued(f"new-{number}")
    dead = [("warning", "token_dead")] * MISTRUST
    assert levels(told) == [*dead, ("info", "validation_stepped_down")]


def test_a_key_with_access_rules_turns_validation_off_at_once_and_once():
    story = Story()
    told = story.is_issued(access_rules=True)
    assert [line["because"] for line in told if line["event"] == "validation_off"] == ["access_rules"]
    assert levels(story.is_issued("token-2", access_rules=True)) == [("info", "token_issued")]


def test_roles_that_go_and_come_back_are_told_by_name():
    story = Story()
    story.is_issued(roles=("r1", "r2"))
    (line,) = story.is_alive(roles=("r2",))
    assert line == {
        "event": "roles_reduced",
        "log_level": "warning",
        "identity": "default",
        "lost": ["member"],
    }
    assert story.is_alive(roles=("r2",)) == []
    told = story.is_issued("token-2", roles=("r2",))
    assert levels(told) == [("info", "token_issued")]
    (line, _) = story.is_issued("token-3", roles=("r1", "r2"))
    assert (line["log_level"], line["event"], line["roles"]) == ("info", "roles_restored", ["member"])


def test_reports_are_told_once_a_window_and_a_forced_token_by_its_number():
    story = Story()
    story.is_issued()
    story.is_alive()
    (line,) = story.is_reported("token-1")
    assert line == {
        "event": "token_reported",
        "log_level": "debug",
        "identity": "default",
        "token_sha256": held().token.digest[:12],
    }
    assert [line for _ in range(50) for line in story.is_reported("token-1")] == []
    assert story.is_reported("another") == []
    story.is_alive()
    (line,) = story.is_reported("token-1")
    assert (line["log_level"], line["event"], line["count"]) == ("info", "reissue_forced", 1)
    assert line["next_in"] == 60
    assert [line for _ in range(50) for line in story.is_reported("token-1")] == []


def test_two_identities_are_two_stories():
    story = Story()
    story.is_issued(access_rules=True)
    other = Story()
    other.journal = story.journal
    other.lease = replace(other.lease, identity="batch")
    assert ("warning", "validation_off") in levels(other.is_issued(access_rules=True))
