"""What an identity's clients may still present, and who was given what: told by the lease, bounded, and open where in doubt."""

from dataclasses import replace

from broker.core.events import Expired, Issued, Started
from broker.core.happening import apply
from broker.core.lease import Lease
from broker.keeper.ledger import MOST_HOLDERS, MOST_TOKENS, Ledger
from tests.core.builders import fresh, held
from tests.keeper.watched import digest

LIFE = 43200.0
SOMEBODY, ANOTHER = 1000, 1001


class Told:
    """A ledger that hears of a lease as a keeper tells it."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.lease: Lease = fresh()

    def become(self, event: Started | Issued | Expired, now: float) -> None:
        before, self.lease = self.lease, apply(self.lease, event)
        self.ledger.lease_changed(before, self.lease, now)

    def issued(self, name: str, now: float = 0.0, life: float = LIFE) -> None:
        self.become(Started(now), now)
        self.become(Issued(now, 1, held(name, sent_at=now, life=life)), now)


def test_a_token_is_known_with_iams_answer_until_its_deadline_and_not_at_it():
    told = Told()
    told.issued("a")
    assert told.ledger.find(digest("a"), LIFE - 1.001) == told.lease.held.token.body  # type: ignore[union-attr]
    assert told.ledger.find(digest("a"), told.lease.held.span.deadline) is None  # type: ignore[union-attr]
    assert told.ledger.find(digest("another"), 0.0) is None


def test_a_token_that_was_replaced_stays_known_and_keeps_its_holders():
    told = Told()
    told.issued("a")
    told.ledger.gave(digest("a"), SOMEBODY)
    told.issued("b", 100.0)
    assert told.ledger.find(digest("a"), 100.0) is not None
    assert told.ledger.given(digest("a"), SOMEBODY)
    assert not told.ledger.given(digest("b"), SOMEBODY)


def test_who_was_given_a_token_is_told_by_user_and_by_token():
    told = Told()
    told.issued("a")
    assert not told.ledger.given(digest("a"), SOMEBODY)
    told.ledger.gave(digest("a"), SOMEBODY)
    assert told.ledger.given(digest("a"), SOMEBODY)
    assert not told.ledger.given(digest("a"), ANOTHER)


def test_whatever_else_happens_to_the_lease_takes_no_holder_away():
    told = Told()
    told.issued("a")
    told.ledger.gave(digest("a"), SOMEBODY)
    told.become(Started(50.0), 50.0)
    told.ledger.lease_changed(told.lease, told.lease, 60.0)
    assert told.ledger.given(digest("a"), SOMEBODY)


def test_of_a_token_that_came_without_a_flight_anybody_may_have_it():
    """After a restart nobody knows who was given it."""
    ledger, empty = Ledger(), fresh()
    ledger.lease_changed(empty, replace(empty, held=held("a")), 0.0)
    assert ledger.given(digest("a"), SOMEBODY)


def test_of_a_token_that_is_not_known_anybody_may_have_it_and_nothing_is_kept():
    ledger = Ledger()
    ledger.gave(digest("a"), SOMEBODY)
    assert ledger.given(digest("a"), ANOTHER)
    assert ledger.find(digest("a"), 0.0) is None


def test_tokens_are_bounded_and_the_oldest_goes_first():
    told = Told()
    for number in range(MOST_TOKENS + 1):
        told.issued(f"token {number}", float(number))
    found = [told.ledger.find(digest(f"token {number}"), 20.0) for number in range(MOST_TOKENS + 1)]
    assert found[0] is None
    assert None not in found[1:]


def test_what_has_ended_makes_room_before_what_lives():
    """Else many tokens of a short life would push out one that a client still has."""
    told = Told()
    told.issued("long")
    for number in range(2 * MOST_TOKENS):
        told.issued(f"short {number}", 10.0 * (number + 1), life=9.0)
    assert told.ledger.find(digest("long"), 400.0) is not None
    assert len(told.ledger._entries) == 2


def test_holders_are_bounded_and_beyond_them_anybody_may_have_it():
    """A doubt too many costs a validation; one too few gives a dead token back."""
    told = Told()
    told.issued("a")
    for uid in range(MOST_HOLDERS):
        told.ledger.gave(digest("a"), uid)
    assert not told.ledger.given(digest("a"), MOST_HOLDERS)
    told.ledger.gave(digest("a"), MOST_HOLDERS)
    assert all(told.ledger.given(digest("a"), uid) for uid in (0, MOST_HOLDERS, MOST_HOLDERS + 1))
    for uid in range(10):
        told.ledger.gave(digest("a"), uid)
    assert len(told.ledger._entries[digest("a")].holders) <= 10


def test_tokens_themselves_are_not_kept():
    told = Told()
    told.issued("the-token-itself")
    told.ledger.gave(digest("the-token-itself"), SOMEBODY)
    assert "the-token-itself" not in repr(told.ledger._entries)
