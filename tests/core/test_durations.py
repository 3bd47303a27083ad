"""Durations, over all that people and machines may write."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.core.durations import seconds, shown

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (90, 90),
        (1.5, 1.5),
        ("90", 90),
        ("90s", 90),
        ("15m", 900),
        ("12h", 43200),
        ("2d", 172800),
        ("1.5s", 1.5),
        (0, 0),
    ],
)
def test_what_the_documentation_shows(written: object, meant: float):
    assert seconds(written) == meant


@given(st.integers(0, 10**9), st.sampled_from(sorted(UNITS)))
def test_a_whole_number_of_units(count: int, unit: str):
    assert seconds(f"{count}{unit}") == count * UNITS[unit]


@given(st.one_of(st.text(), st.integers(), st.floats(), st.booleans(), st.none(), st.lists(st.integers())))
def test_nothing_else_is_a_duration_and_none_is_negative_or_endless(written: object):
    number = seconds(written)
    assert number is None or (math.isfinite(number) and number >= 0)


@pytest.mark.parametrize(
    "written",
    [
        "",
        "s",
        "500ms",
        "-1s",
        "1 s",
        "1S",
        "1.s",
        ".5s",
        "1e3",
        "\u0661s",
        "1s\n",
        "inf",
        True,
        -1,
        math.nan,
        10**400,
    ],
)
def test_what_is_no_duration(written: object):
    assert seconds(written) is None


@given(st.integers(0, 10**6))
def test_what_is_shown_can_be_written(number: int):
    assert seconds(shown(number)) == pytest.approx(number, rel=1e-5)
