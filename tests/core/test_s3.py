"""How long S3 credentials are good, and when others are made: as AWS' SDKs need it, which refresh 15 minutes before the end."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.core.s3 import LEAST, S3Keys, S3Reply, life, pause
from broker.core.secret import Secret

KEYS = S3Keys("AKIA", Secret("s"), Secret("t"), datetime(2026, 1, 1, tzinfo=UTC))
SDK = 15 * 60.0
FOR_EVER = float("inf")
LIVES = st.floats(4.0, 43_200.0)


def reply(lifetime: float, sent_at: float = 0.0) -> S3Reply:
    return S3Reply(KEYS, lifetime, sent_at)


@pytest.mark.parametrize("minutes", [20, 30, 60, 720])
def test_when_an_sdk_asks_again_there_are_others(minutes: int):
    """Else it would ask at each of its calls, up to the end."""
    found = life(reply(minutes * 60.0), FOR_EVER)
    asks_at = found.deadline - SDK
    assert found.wanted_at <= max(asks_at - 55, minutes * 60.0 / 4)


@given(LIVES, st.floats(0, 1e6), st.floats(4.0, 1e6))
def test_the_phases_are_in_order_and_end_with_the_sooner_of_both(
    lifetime: float, sent_at: float, token_left: float
):
    found = life(reply(lifetime, sent_at), sent_at + token_left)
    assert sent_at < found.due_at < found.wanted_at < found.deadline
    assert found.deadline == min(sent_at + lifetime - 1, sent_at + token_left)


@given(LIVES, st.floats(0, 50_000))
def test_nothing_is_usable_in_its_last_moment_nor_later(lifetime: float, now: float):
    found = life(reply(lifetime), FOR_EVER)
    assert found.usable(now) == (now <= lifetime - 1 - LEAST)


def test_a_successor_that_ends_with_the_same_token_is_worth_nothing():
    found = life(reply(1800), 600.0)
    assert not found.successor_is_worth_it(500.0, 600.0)
    assert not found.successor_is_worth_it(500.0, 700.0)
    assert found.successor_is_worth_it(500.0, 40_000.0)


@pytest.mark.parametrize(
    ("count", "lifetime", "retry_after", "seconds"),
    [
        (1, None, None, 5.0),
        (2, None, None, 10.0),
        (99, None, None, 60.0),
        (99, 60.0, None, 6.0),
        (1, 4.0, None, 1.0),
        (1, None, 20.0, 20.0),
        (1, None, 1.0, 5.0),
        (1, None, 86_400.0, 300.0),
        (1, None, float("inf"), 5.0),
    ],
)
def test_the_pause_doubles_to_a_minute_and_a_wish_to_wait_is_obeyed_within_reason(
    count: int, lifetime: float | None, retry_after: float | None, seconds: float
):
    assert pause(count, lifetime, retry_after) == seconds
