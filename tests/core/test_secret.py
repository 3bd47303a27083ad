"""A Secret shows itself to nobody who does not ask by name."""

import copy
import json
import logging
import pickle
import traceback
from dataclasses import dataclass

import pytest

from broker.core.secret import Secret, wipe

CANARY = "canary-1f0c"


@pytest.mark.parametrize(
    "show",
    [
        repr,
        str,
        "{}".format,
        "%s".__mod__,
        "%r".__mod__,
        lambda secret: f"{secret}",
        lambda secret: f"{secret!r:>30}",
    ],
)
def test_no_way_of_printing_shows_it(show):
    assert CANARY not in show(Secret(CANARY))


def test_a_value_that_holds_one_does_not_show_it_either():
    @dataclass
    class Holder:
        secret: Secret

    assert CANARY not in repr(Holder(Secret(CANARY)))


@pytest.mark.parametrize("export", [json.dumps, pickle.dumps, copy.copy, copy.deepcopy])
def test_it_cannot_be_exported(export):
    with pytest.raises(TypeError) as caught:
        export(Secret(CANARY))
    assert CANARY not in "".join(traceback.format_exception(caught.value))


def test_it_cannot_be_logged(caplog):
    logging.getLogger("test").warning("a %s and %r", Secret(CANARY), Secret(CANARY))
    assert CANARY not in caplog.text
    assert "Secret(***)" in caplog.text


def test_equal_texts_are_equal_and_others_are_not():
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"


def test_it_has_no_hash_since_a_hash_compares_in_variable_time():
    with pytest.raises(TypeError):
        hash(Secret("a"))


def test_reveal_and_digest():
    assert Secret("abc").reveal() == "abc"
    assert Secret("abc").sha256() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_it_is_found_in_bytes_without_being_shown():
    text = f"{CANARY}-{CANARY}"
    assert Secret(text).is_in(f"<{text}>".encode())
    assert not Secret(text).is_in(text[:-1].encode())
    assert not Secret("\udcff" * 20).is_in(b"x")


def test_a_wiped_buffer_is_zeros_for_whoever_still_has_it():
    buffer = bytearray(CANARY.encode())
    with memoryview(buffer) as still_there:
        wipe(buffer)
        assert not any(still_there)
        assert len(still_there) == len(CANARY)


@pytest.mark.parametrize("chosen", ["member", "secret", "t", "", "password-of-ops"])
def test_a_short_secret_is_not_looked_for_where_it_may_stand_by_chance(chosen: str):
    """OpenStack lets people choose; an answer that holds the word is no echo, and the key's tokens must come."""
    assert not Secret(chosen).is_in(f"...{chosen}...".encode())
    assert Secret("0123456789abcdef").is_in(b"...0123456789abcdef...")
    assert not Secret("0123456789abcdef").is_in(b"...0123456789abcdeX...")
