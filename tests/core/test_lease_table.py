"""The table of states and moves: every pair is either a stated move or an error."""

import pytest

from broker.core import lease
from broker.core.budget import Bucket
from broker.core.errors import Fault
from broker.core.events import Died, Event, Expired, Failed, Issued, KeyChanged, Started
from broker.core.lease import MOVES, Action, IllegalMove, Lease, Move, State
from tests.core.builders import held

EVENTS: dict[Move, Event] = {
    Move.STARTED: Started(1.0),
    Move.ISSUED: Issued(1.0, 0, held("new")),
    Move.FAILED: Failed(1.0, 0, Fault.UNAVAILABLE, "down", None, 0.5),
    Move.DROPPED: Issued(1.0, 99, held("old")),
    Move.KEY_CHANGED: KeyChanged(1.0),
    Move.EXPIRED: Expired(1.0),
    Move.DIED: Died(1.0),
}


def at(state: State) -> Lease:
    holding = held("held") if state in {State.HELD, State.RENEWING} else None
    return Lease("default", state, Bucket.full(5, 0.0), held=holding)


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("move", Move)
def test_every_pair_of_state_and_move(state, move):
    if move in MOVES[state]:
        assert lease.apply(at(state), EVENTS[move]).state is MOVES[state][move]
    else:
        with pytest.raises(IllegalMove):
            lease.apply(at(state), EVENTS[move])


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("move", Move)
def test_a_token_is_held_exactly_in_the_states_that_say_so(state, move):
    if move in MOVES[state]:
        after = lease.apply(at(state), EVENTS[move])
        assert (after.held is not None) is (after.state in {State.HELD, State.RENEWING})


@pytest.mark.parametrize("fault", [Fault.UNAVAILABLE, Fault.THROTTLED, Fault.PROTOCOL])
def test_a_new_key_does_not_hurry_what_was_not_the_keys_fault(fault):
    failed = lease.apply(at(State.ISSUING), Failed(0.0, 0, fault, "why", 120.0, 0.5))
    assert lease.next_try(lease.apply(failed, KeyChanged(1.0)), 1.0) >= 120.0


def test_a_new_key_after_a_rejection_is_tried_at_once():
    rejected = lease.apply(at(State.ISSUING), Failed(0.0, 0, Fault.REJECTED, "why", None, 0.99))
    assert lease.decide(rejected, 1.0) is Action.REST
    assert lease.decide(lease.apply(rejected, KeyChanged(1.0)), 1.0) is Action.ISSUE


def test_a_success_ends_the_trouble():
    failed = lease.apply(at(State.ISSUING), EVENTS[Move.FAILED])
    again = lease.apply(lease.apply(failed, Started(60.0)), Issued(61.0, 0, held("new", sent_at=60.0)))
    assert failed.trouble is not None
    assert again.trouble is None
