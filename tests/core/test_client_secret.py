"""Which secrets a client may present, while they are set, replaced and taken back, and that no clock tells them."""

import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.core.client_secret import GRACE, ClientSecret, accepts
from broker.core.secret import Secret

CANARY = "canary-client-secret"
WORDS = ["first-secret-0001", "second-secret-002", "third-secret-0003"]


def held(*changes: tuple[float, str]) -> ClientSecret:
    """The first secret, and what it was replaced by at these moments."""
    kept = ClientSecret.of(Secret(WORDS[0]))
    for at, word in changes:
        kept = kept.replaced(Secret(word), at)
    return kept


def taken(kept: ClientSecret, now: float) -> list[int]:
    """The places of the words that are accepted."""
    return [place for place, word in enumerate(WORDS) if kept.accepts(Secret(word), now)]


@pytest.mark.parametrize("text", ["placeholder", " ", "x" * 10_000, "\ud800"])
def test_where_none_is_set_anything_that_is_not_empty_will_do(text: str):
    assert accepts(None, Secret(text), 0.0)
    assert not accepts(None, Secret(""), 0.0)


@pytest.mark.parametrize(
    "text", ["", " ", "placeholder", WORDS[0][:-1], WORDS[0] + "\n", WORDS[0].upper(), "\ud800", "\0"]
)
def test_where_one_is_set_only_it_will_do(text: str):
    assert accepts(held(), Secret(WORDS[0]), 0.0)
    assert not accepts(held(), Secret(text), 0.0)


def test_the_former_one_works_until_its_grace_is_over_and_not_a_moment_longer():
    kept = held((100.0, WORDS[1]))
    assert taken(kept, 100.0) == [0, 1]
    assert taken(kept, 100.0 + GRACE - 0.001) == [0, 1]
    assert taken(kept, 100.0 + GRACE) == [1]


def test_of_two_changes_within_the_grace_the_older_secret_is_gone_at_once():
    assert taken(held((0.0, WORDS[1]), (1.0, WORDS[2])), 1.0) == [1, 2]


def test_a_secret_that_returns_is_current_again_and_the_one_taken_back_has_its_grace():
    kept = held((0.0, WORDS[1]), (1.0, WORDS[0]))
    assert taken(kept, 1.0) == [0, 1]
    assert taken(kept, 1.0 + GRACE) == [0], "its own grace is not that of when it was the former one"


def test_reading_the_same_secret_again_prolongs_nothing():
    kept = held((0.0, WORDS[1]))
    assert kept.replaced(Secret(WORDS[1]), GRACE - 1) is kept


moments = st.lists(st.tuples(st.floats(0, 2 * GRACE), st.sampled_from(WORDS)), max_size=12)


@given(moments, st.floats(0, 3 * GRACE))
def test_any_history_agrees_with_books_of_plain_texts(steps: list[tuple[float, str]], later: float):
    """The books: each text with the moment it was replaced; only the last one of them may still work."""
    kept, current, replaced, now = held(), WORDS[0], [], 0.0
    for pause, word in steps:
        now += pause
        kept = kept.replaced(Secret(word), now)
        if word != current:
            replaced.append((current, now))
            current = word
        for moment in (now, now + later):
            good = {current} | {text for text, at in replaced[-1:] if moment < at + GRACE}
            assert {word for word in WORDS if kept.accepts(Secret(word), moment)} == good


@pytest.mark.parametrize("given_text", [*WORDS, "", "x", "x" * 5000])
@pytest.mark.parametrize("answer", [True, False])
def test_compare_digest_alone_decides_and_always_compares_both_in_one_length(
    given_text: str, answer: bool, monkeypatch: pytest.MonkeyPatch
):
    """An `==` would not ask it; a short cut after the first match or by length would ask it less often."""
    kept = held((0.0, WORDS[1]))
    asked: list[tuple[int, int]] = []

    def compare(one: bytes, other: bytes) -> bool:
        asked.append((len(one), len(other)))
        return answer

    monkeypatch.setattr(hmac, "compare_digest", compare)
    assert kept.accepts(Secret(given_text), 1.0) is answer
    assert asked == [(32, 32), (32, 32)]


def test_it_shows_nothing_and_two_are_not_compared_in_variable_time():
    kept = ClientSecret.of(Secret(CANARY)).replaced(Secret(WORDS[0]), 0.0)
    for shown in (repr(kept), str(kept), f"{kept}"):
        assert CANARY not in shown
        assert Secret(CANARY).sha256() not in shown
        assert "current" not in shown
    assert ClientSecret.of(Secret(CANARY)) != ClientSecret.of(Secret(CANARY))
