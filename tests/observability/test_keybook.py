"""What is told of access keys: each change once, by place, and never an id."""

import pytest

from broker.core.errors import Fault
from broker.core.events import Issued, KeyDropped, KeyReverted, Started
from broker.core.keys import Place
from tests.observability.story import Story, Told, held, levels


def of_keys(told: Told) -> list[tuple[str, str, str]]:
    return [
        (line["log_level"], line["event"], line["key"]) for line in told if line["event"].startswith("key_")
    ]


def test_a_rotation_is_told_from_the_new_key_to_its_first_token():
    story = Story("key-1")
    assert of_keys(story.is_issued()) == []
    (line,) = story.gets_key("key-2")
    assert line == {"event": "key_changed", "log_level": "info", "identity": "default", "key": "primary"}
    told = story.is_issued("token-2", generation=3)
    assert of_keys(told) == [("info", "key_in_use", "primary")]
    assert "token_issued" in [line["event"] for line in told]
    assert of_keys(story.is_issued("token-3", generation=3)) == []


@pytest.mark.parametrize("new", [False, True])
def test_a_rejected_key_is_told_once_until_it_works_again(new: bool):
    story = Story("key-1", "key-2")
    story.is_issued()
    generation = 2
    if new:
        story.gets_key("key-3", Place.STANDBY)
        generation = 3
    (line,) = story.fails(Fault.REJECTED, generation=generation)
    assert line == {
        "event": "key_rejected",
        "log_level": "warning",
        "identity": "default",
        "key": "standby",
        "new": new,
        "detail": "it is rejected",
    }
    assert story.fails(Fault.REJECTED, 5, generation=generation) == []
    assert of_keys(story.is_issued("trial", generation)) == [("info", "key_proven", "standby")]
    assert levels(story.fails(Fault.REJECTED, generation=generation)) == [("warning", "key_rejected")]


def test_a_key_that_iam_cannot_judge_is_not_rejected():
    story = Story()
    assert of_keys(story.fails(Fault.UNAVAILABLE)) == []


def test_the_standby_takes_over_and_the_primary_comes_back():
    story = Story("key-1", "key-2")
    story.is_issued()
    assert of_keys(story.fails(Fault.REJECTED)) == [("warning", "key_rejected", "primary")]
    assert of_keys(story.is_issued("token-2", 2)) == [("info", "key_in_use", "standby")]
    assert of_keys(story.is_issued("token-3", 2)) == []
    assert of_keys(story.is_issued("token-4", 1)) == [("info", "key_in_use", "primary")]


def test_a_proof_of_the_standby_is_news_the_first_time_alone():
    story = Story("key-1", "key-2")
    story.is_issued()
    assert of_keys(story.is_issued("trial-1", 2)) == [("info", "key_proven", "standby")]
    assert of_keys(story.is_issued("trial-2", 2)) == [("debug", "key_proven", "standby")]


def test_a_key_of_another_project_is_told_with_the_remedy():
    story = Story("key-1", "key-2")
    story.is_issued()
    story.now += 10
    (line,) = story.goes(Started(story.now), Issued(story.now, 2, held("trial", story.now, project="p2")))
    assert (line["log_level"], line["event"], line["key"]) == ("warning", "key_project_mismatch", "standby")
    assert "give each project an identity of its own" in line["detail"]


def test_a_key_that_goes_or_comes_back_is_no_news_of_its_own():
    """The first is in the configuration's reload, the second is the key that serves anyway."""
    story = Story("key-1", "key-2")
    story.is_issued()
    story.gets_key("key-3")
    assert story.goes(KeyReverted(story.now, Place.PRIMARY)) == []
    assert story.goes(KeyDropped(story.now, Place.STANDBY)) == []


def test_a_restart_tells_no_change_of_keys():
    assert of_keys(Story("key-1", "key-2").is_restored()) == []
