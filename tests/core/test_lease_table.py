"""The table of states and moves: every pair is either a stated move or an error."""

from dataclasses import replace

import pytest

from broker.core import lease
from broker.core.errors import Fault
from broker.core.events import Event, Expired, Failed, Issued, KeyChanged, Started, Unchecked
from broker.core.happening import apply
from broker.core.keys import Place
from broker.core.lease import MOVES, Action, IllegalMove, Lease, Move, State
from broker.core.trouble import Failure
from broker.core.watch import Method
from tests.core.builders import failure, fresh, held

SPARE = Issued(1.0, 2, held("spare"))  # of the standby, which is only tried
EVENTS: dict[Move, Event] = {
    Move.STARTED: Started(1.0),
    Move.ISSUED: Issued(1.0, 1, held("new")),
    Move.PROVEN: SPARE,
    Move.FAILED: Failed(1, failure(1.0)),
    Move.DROPPED: Issued(1.0, 99, held("old")),
    Move.EXPIRED: Expired(1.0),
    Move.DIED: Unchecked(held("held").token.digest, Method.AUTH_TOKENS, failure(1.0, Fault.REJECTED)),
}


def at(state: State) -> Lease:
    empty = fresh("key-1", "key-2")
    if state not in {State.HELD, State.RENEWING}:
        return replace(empty, state=state)
    proven = lease.remembering(empty, {"key-1": frozenset({Method.AUTH_TOKENS.value})}, ())
    return replace(lease.restored(proven, held("held"), "key-1", 0.0), state=state)


def moves() -> list[tuple[State, Move]]:
    """All pairs that events can make: without a token, that of a standby is taken, and nothing can be found dead."""
    cannot = {(State.ISSUING, Move.PROVEN), (State.EMPTY, Move.DIED), (State.ISSUING, Move.DIED)}
    return [(state, move) for state in State for move in Move if (state, move) not in cannot]


@pytest.mark.parametrize(("state", "move"), moves())
def test_every_pair_of_state_and_move(state, move):
    if move in MOVES[state]:
        assert apply(at(state), EVENTS[move]).state is MOVES[state][move]
    else:
        with pytest.raises(IllegalMove):
            apply(at(state), EVENTS[move])


@pytest.mark.parametrize(("state", "move"), moves())
def test_a_token_is_held_exactly_in_the_states_that_say_so(state, move):
    if move in MOVES[state]:
        after = apply(at(state), EVENTS[move])
        assert (after.held is not None) is (after.state in {State.HELD, State.RENEWING})


@pytest.mark.parametrize("fault", [Fault.UNAVAILABLE, Fault.THROTTLED, Fault.PROTOCOL])
def test_a_new_key_does_not_hurry_what_was_not_the_keys_fault(fault):
    failed = apply(at(State.ISSUING), Failed(1, Failure(0.0, fault, "why", 120.0, 0.5)))
    assert lease.next_issue(apply(failed, KeyChanged(1.0, Place.PRIMARY, 3, "key-3")), 1.0) >= 120.0


def test_a_new_key_after_a_rejection_is_tried_at_once():
    alone = replace(fresh("key-1"), state=State.ISSUING)
    rejected = apply(alone, Failed(1, failure(0.0, Fault.REJECTED, draw=0.99)))
    assert lease.decide(rejected, 1.0) is Action.REST
    assert lease.decide(apply(rejected, KeyChanged(1.0, Place.PRIMARY, 3, "key-3")), 1.0) is Action.ISSUE


def test_a_success_ends_the_trouble():
    failed = apply(at(State.ISSUING), EVENTS[Move.FAILED])
    again = apply(apply(failed, Started(60.0)), Issued(61.0, 1, held("new", sent_at=60.0)))
    assert failed.trouble is not None
    assert again.trouble is None
