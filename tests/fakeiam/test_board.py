"""Which faults hit which request."""

import pytest

from broker.fakeiam.board import MOST_FAULTS, Board, Draw
from broker.fakeiam.fault_text import FaultTextError
from broker.fakeiam.faults import Operation, Twist

ISSUE = Operation.ISSUE


def test_no_fault_no_trouble():
    """An empty board changes nothing."""
    assert Board().draw(ISSUE, None) == Draw()


def test_a_fault_ends_after_its_times():
    """Used up, it leaves the board."""
    board = Board()
    board.add("503:times=2")
    assert [board.draw(ISSUE, None).instead is not None for _ in range(3)] == [True, True, False]
    assert board.in_force() == []


def test_a_fault_can_be_bound_to_an_operation_and_a_key():
    """Other requests pass, and do not use it up."""
    board = Board()
    board.add("no-expiry:on=issue,key=k,times=1")
    assert board.draw(Operation.VALIDATE, "k").bends == ()
    assert board.draw(ISSUE, "other").bends == ()
    assert board.draw(ISSUE, "k").bends == (Twist.NO_EXPIRY,)


def test_delays_and_skews_add_up_and_go_with_a_replacement():
    """A slow 503 from a server with a wrong clock."""
    board = Board()
    for text in ("latency=1", "latency=2", "skew=5", "skew=7:only=date", "skew=11:only=times", "503"):
        board.add(text)
    draw = board.draw(ISSUE, None)
    assert (draw.delay, draw.date_skew, draw.times_skew) == (3, 12, 16)
    assert draw.instead is not None


def test_the_first_replacement_wins_and_uses_up_nothing_else():
    """IAM never sees the request, so twists wait for the next one."""
    board = Board()
    for text in ("half:times=1", "503:times=1", "429:times=1"):
        board.add(text)
    assert [board.draw(ISSUE, None).instead is not None for _ in range(2)] == [True, True]
    assert board.draw(ISSUE, None).bends == (Twist.HALF,)


def test_removing_frees_what_hangs():
    """A used-up hang stays until then."""
    board = Board()
    number = board.add("hang:times=1")
    held = board.draw(ISSUE, None).instead
    assert held is not None
    assert board.draw(ISSUE, None) == Draw()
    assert board.remove(number)
    assert held.lifted.is_set()
    assert not board.remove(number)


def test_the_board_is_bounded_and_refuses_bad_text():
    """A loop with curl cannot fill the memory."""
    board = Board()
    with pytest.raises(FaultTextError):
        board.add("nix")
    for _ in range(MOST_FAULTS):
        board.add("half")
    with pytest.raises(ValueError, match="remove some first"):
        board.add("half")
    board.clear()
    assert board.in_force() == []
