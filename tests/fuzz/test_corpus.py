"""Every request that is kept, at each listener, whole and split: the hostile ones get no token, the honest ones do."""

from pathlib import Path

import pytest

from tests.fuzz import corpus
from tests.fuzz.attack import attack, unharmed
from tests.fuzz.corpus import Kept, kept
from tests.fuzz.spelling import read, spelled
from tests.fuzz.standing import TOKEN, Standing
from tests.fuzz.verdict import GOOD, Outline

HOSTILE, HONEST, FOUND = kept("hostile"), kept("honest"), kept("found")
ALL = [*HOSTILE, *HONEST, *FOUND]


def at_each_door(those: list[Kept]) -> pytest.MarkDecorator:
    cases = [case for one in those for case in one.cases]
    return pytest.mark.parametrize(("one", "door"), cases, ids=[f"{one}-{door}" for one, door in cases])


def tried(broker: Standing, door: str, one: Kept) -> Outline:
    """Its answers when it comes whole; coming in pieces it is judged too."""
    return attack(broker, door, one.stream, [0.3, 0.5, 0.9])


@at_each_door(HOSTILE)
def test_a_hostile_one_is_refused_and_gets_no_token(broker: Standing, one: Kept, door: str) -> None:
    told = tried(broker, door, one)
    assert all(400 <= status < 500 for status, _ in told), told
    first = f"{told[0][0]} {told[0][1] or '-'}" if told else "closed"
    expected = one.status if one.status in {"closed", "4xx"} else f"{one.status} {one.code}"
    assert first == expected or (one.status == "4xx" and first.startswith("4")), told


@at_each_door(HONEST)
def test_an_honest_one_is_served(broker: Standing, one: Kept, door: str) -> None:
    told = tried(broker, door, one)
    assert str(told[0][0]) == one.status
    assert {status for status, _ in told} & GOOD, told


def test_what_was_found_once_is_in_order(broker: Standing) -> None:
    for one in FOUND:
        for door in one.doors:
            tried(broker, door, one)


def test_afterwards_it_serves_as_before(broker: Standing) -> None:
    for door in broker.doors:
        unharmed(broker, door)


@pytest.mark.parametrize("one", [*HOSTILE[:60:7], HONEST[0]], ids=str)
@pytest.mark.parametrize("door", ["unix", "tcp"])
def test_byte_by_byte_they_fare_no_better(broker: Standing, one: Kept, door: str) -> None:
    heard = broker.ask(door, [one.stream[at : at + 1] for at in range(len(one.stream))])
    assert (TOKEN.encode() in heard.answer) == (one.status == "200")


def test_there_are_enough_of_them_and_each_has_a_name_of_its_own() -> None:
    assert len(HOSTILE) > 200
    assert len({one.name for one in ALL}) == len(ALL)


def test_what_is_written_is_what_is_read() -> None:
    for one in ALL:
        assert read(spelled(one.stream)) == one.stream


def test_what_is_found_is_kept_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "found.txt"
    file.write_text("# what was found\n")
    monkeypatch.setattr(corpus, "FOLDER", tmp_path)
    names = [corpus.keep(stream, "tcp") for stream in (b"G\0ET \xff{honest}", b"G\0ET \xff{honest}", b"")]
    (first, last) = kept("found")
    assert (first.name, first.doors, first.stream) == (names[0], ("tcp",), b"G\0ET \xff{honest}")
    assert (last.name, last.stream, last.status) == (names[2], b"", "-")
