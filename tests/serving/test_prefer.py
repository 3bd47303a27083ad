"""`Prefer: wait=SECONDS` as RFC 7240 writes it."""

import pytest

from broker.serving import prefer


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ([], None),
        ([""], None),
        (["wait=5"], 5),
        (["WAIT=5"], 5),
        ([" wait = 5 "], 5),
        (['wait="5"'], 5),
        (["wait=5; foo=bar"], 5),
        (["respond-async, wait=10"], 10),
        (["respond-async", "wait=10"], 10),
        (["wait=3, wait=9"], 3),
        (["wait=soon, wait=9"], 9),
        (["wait=0"], 0),
        (["wait=30"], 30),
        (["wait=31"], 30),
        (["wait=999999999"], 30),
        (["wait=" + "9" * 5000], None),
        (["wait=-1"], None),
        (["wait=1.5"], None),
        (["wait=1e9"], None),
        (["wait=\u0665"], None),
        (["wait"], None),
        (["wait="], None),
        (["await=5"], None),
        (["foo;wait=5"], None),
    ],
)
def test_the_first_understandable_wait_counts_up_to_the_longest(headers: list[str], seconds: float | None):
    assert prefer.wait(headers) == seconds
