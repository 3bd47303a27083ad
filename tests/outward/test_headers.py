"""Retry-After and Date, in every form that servers and fuzzers write."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.outward.headers import date, retry_after, sole

NOW = ("Date", "Fri, 02 Oct 2026 08:00:00 GMT")


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        (" 30 ", 30.0),
        ("999999999", 999999999.0),
        ("-1", None),
        ("1.5", None),
        ("٣", None),
        ("", None),
        ("soon", None),
        ("9" * 5000, None),
        ("Fri, 02 Oct 2026 08:01:30 GMT", 90.0),
        ("Fri, 02 Oct 2026 08:01:30 -0000", 90.0),
        ("Fri, 02 Oct 2026 17:01:30 +0900", 90.0),
        ("Fri, 02 Oct 2026 07:59:59 GMT", None),
    ],
)
def test_retry_after(value: str, seconds: float | None):
    assert retry_after((NOW, ("retry-after", value))) == seconds


def test_a_date_to_retry_at_means_nothing_without_iams_clock():
    """The local wall clock is never read, so there is nothing to compare it with."""
    assert retry_after((("Retry-After", "Fri, 02 Oct 2026 08:01:30 GMT"),)) is None


def test_a_header_that_stands_twice_says_nothing():
    assert sole((("A", "1"), ("a", "1")), "A") is None
    assert retry_after((("Retry-After", "1"), ("Retry-After", "2"))) is None
    assert date((NOW, NOW)) is None


def test_a_date_with_an_offset_is_told_in_utc():
    assert date((("Date", "Fri, 02 Oct 2026 17:00:00 +0900"),)) == datetime(2026, 10, 2, 8, tzinfo=UTC)


def test_a_date_beyond_the_calendar_is_no_date():
    assert date((("Date", "Fri, 31 Dec 9999 23:59:00 -2359"),)) is None


@given(st.text(max_size=80), st.text(max_size=80))
def test_any_text_is_a_wait_or_nothing(now: str, after: str):
    wait = retry_after((("Date", now), ("Retry-After", after)))
    assert wait is None or wait >= 0


@given(
    st.from_regex(r"\A[A-Z][a-z]{2}, [0-9]{1,4} [A-Z][a-z]{2} [0-9]{0,6} [0-9:. ]{0,12} [+-]?[0-9A-Z]{0,6}\Z")
)
def test_anything_like_a_date_is_a_date_or_nothing(text: str):
    assert date((("Date", text),)) is None or retry_after((NOW, ("Retry-After", text))) != -1
