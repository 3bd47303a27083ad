"""The buckets of all users: what each holds, and how many are remembered."""

import pytest

from broker.serving import pace
from broker.serving.pace import ASKING, FORCING, Pace


def test_a_bucket_holds_a_burst_and_fills_by_the_time():
    those = Pace()
    assert [those.take(1, 0.0) for _ in range(ASKING.burst)] == [0.0] * ASKING.burst
    assert those.take(1, 0.0) == ASKING.every
    assert those.take(1, 10.0) == pytest.approx(ASKING.every - 10)
    assert those.take(2, 10.0) == 0.0
    assert those.take(1, 10.0, FORCING) == 0.0
    assert those.take(1, ASKING.every) == 0.0
    assert those.take(1, ASKING.every) > 0


def test_what_is_remembered_is_bounded_and_the_longest_full_bucket_is_forgotten_first(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(pace, "MOST_REMEMBERED", 3)
    those = Pace()
    for _ in range(5):
        those.take(1, 0.0)
    those.take(2, 0.0)
    those.take(3, 1.0)
    those.take(4, ASKING.every + 0.5)  # by now only the bucket of 2 is full
    assert [uid for uid, _ in those._buckets] == [1, 3, 4]
    for uid in range(5, 1000):
        those.take(uid, ASKING.every + 0.5)
        assert len(those._buckets) == 3
