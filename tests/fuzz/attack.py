"""One example: a stream sent whole and split, each answer judged, both compared, and the broker looked after."""

from tests.fuzz.grammar import split
from tests.fuzz.spelling import WORDS
from tests.fuzz.standing import TOKEN, Standing
from tests.fuzz.verdict import Outline, alike, judged


def attack(broker: Standing, door: str, stream: bytes, places: list[float]) -> Outline:
    """The answers to it as a whole; AssertionError says what is wrong with them."""
    told = judged(stream, door, broker.ask(door, [stream]))
    alike(stream, told, judged(stream, door, broker.ask(door, split(stream, places))))
    unsaid(broker)
    return told


def hang_up(broker: Standing, door: str, stream: bytes, places: list[float]) -> None:
    """The same from one who says when it has said all, and then hears what it hears."""
    judged(stream, door, broker.ask(door, split(stream, places), half_close=True), half_closed=True)
    unsaid(broker)


def unsaid(broker: Standing) -> None:
    """Nobody was told of a defect, and nothing a stranger does is worth more than a line for debugging."""
    wrong: list[object] = [*broker.defects]
    wrong += [event for event in broker.said if event["log_level"] not in {"debug", "info"}]
    # What one example has brought is not the next one's fault.
    broker.defects.clear()
    broker.said.clear()
    assert wrong == []


def unharmed(broker: Standing, door: str) -> None:
    """An honest request is served, and no task is left over."""
    assert TOKEN.encode() in broker.ask(door, [WORDS["honest"]]).answer
    assert broker.tasks() == 1
