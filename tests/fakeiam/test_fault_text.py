"""Faults as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.fakeiam.durations import parse_duration
from broker.fakeiam.fault_text import FaultTextError, fault_text, parse_fault
from broker.fakeiam.faults import Drop, Fault, Latency, Operation, Redirect, Skew, Status, Twist

words = st.text("abcdef0123456789", min_size=1, max_size=32)
seconds = st.integers(0, 10_000).map(lambda n: n / 8)
effects = st.one_of(
    st.builds(Latency, seconds),
    st.builds(Skew, seconds | seconds.map(float.__neg__), st.sampled_from(["both", "date", "times"])),
    st.builds(
        Status,
        st.integers(200, 599),
        st.sampled_from(["json", "html", "empty"]),
        st.none() | st.just("date+30") | words,
    ),
    st.builds(Redirect, st.none() | st.just("http://127.0.0.1:1/x"), st.integers(200, 599)),
    st.sampled_from([*Drop, *Twist]),
)
targets = st.sampled_from([None, Operation.ISSUE, Operation.VALIDATE, Operation.PROJECTS, Operation.KEY])
faults = st.builds(Fault, effects, times=st.none() | st.integers(1, 999), on=targets, key=st.none() | words)


@given(faults)
def test_text_and_value_are_the_same_thing(fault: Fault):
    """What the control API lists can be given back to it."""
    assert parse_fault(fault_text(fault)) == fault


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            "429:retry-after=3,times=2,on=issue",
            Fault(Status(429, retry_after="3"), times=2, on=Operation.ISSUE),
        ),
        ("latency=0.5", Fault(Latency(0.5))),
        ("latency=2m:on=any", Fault(Latency(120))),
        ("503:body=html", Fault(Status(503, "html"))),
        ("skew=-1h:only=date", Fault(Skew(-3600, "date"))),
        ("redirect:to=https://example.org:1/a", Fault(Redirect("https://example.org:1/a"))),
        ("hang:on=validate,key=abc", Fault(Drop.HANG, on=Operation.VALIDATE, key="abc")),
        ("403:on=key", Fault(Status(403), on=Operation.KEY)),
        (" half ", Fault(Twist.HALF)),
    ],
)
def test_the_documented_forms(text: str, fault: Fault):
    """As in the command's help."""
    assert parse_fault(text) == fault


@pytest.mark.parametrize(
    "text",
    [
        "", "nix", "99", "600", "latency", "latency=", "latency=-1", "latency=x", "reset=1", "429=1", "half:x=1",
        "half:times=0", "half:times=x", "half:times", "half:on=revoke", "half:times=1,times=2", "503:body=xml",
        "skew=1:only=x", "redirect=x", "redirect:status=9", "half\nhalf", "429:retry-after=1\r\nX: y", "latency=999999h",
    ],
)  # fmt: skip
def test_bad_text_gives_one_sentence(text: str):
    """On one line, whatever was wrong."""
    with pytest.raises(FaultTextError) as error:
        parse_fault(text)
    assert "\n" not in str(error.value)


def test_an_unknown_fault_names_the_known_ones():
    """So that nobody has to look them up."""
    with pytest.raises(FaultTextError) as error:
        parse_fault("nix")
    for known in ("latency", "429", "redirect", "skew", *Drop, *Twist):
        assert known in str(error.value)


@given(st.text())
def test_no_text_makes_the_parser_fail_otherwise(text: str):
    """A fault or a FaultTextError, nothing else."""
    try:
        parse_fault(text)
    except FaultTextError:
        return


def test_durations():
    """Seconds without a unit; minutes and hours."""
    assert [parse_duration(text) for text in ("90", "90s", "15m", "12h", "0.5")] == [90, 90, 900, 43200, 0.5]
    for text in ("", "x", "1d", "-1", "1e3", "99999h", "\u0663"):
        with pytest.raises(ValueError, match="duration"):
            parse_duration(text)
