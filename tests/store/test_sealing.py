"""What is sealed opens for its keys, in its place, unchanged; and for nobody else."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.core.model import KeyById
from broker.core.secret import Secret
from broker.store.sealing import MAGIC, MOST_SLOTS, Scope, open_sealed, seal
from broker.store.unusable import Unusable
from tests.store.kept import FIRST, KEYS, SECOND, STRANGER, TOKEN, URL

SCOPE = Scope("shop", URL)
PLAIN = json.dumps({"token": TOKEN, "key": FIRST.ref}).encode() * 20
SEALED = seal(PLAIN, SCOPE, KEYS)
BODY_AT = 8 + 32 + 1 + 2 * 60 + 12


def unusable(sealed: bytes, scope: Scope = SCOPE, keys=KEYS) -> str:
    with pytest.raises(Unusable) as refused:
        open_sealed(sealed, scope, keys)
    return str(refused.value)


@pytest.mark.parametrize("keys", [[FIRST], [SECOND], [STRANGER, SECOND], [FIRST, STRANGER]])
def test_each_of_its_keys_opens_it(keys):
    assert open_sealed(SEALED, SCOPE, keys) == PLAIN


@pytest.mark.parametrize(
    "keys",
    [[], [STRANGER], [KeyById("key-2", FIRST.secret)], [KeyById(SECOND.ref, FIRST.secret)]],
)
def test_no_other_secret_and_no_other_key_opens_it(keys):
    assert "no access key" in unusable(SEALED, keys=keys)


@pytest.mark.parametrize("scope", [Scope("shop2", URL), Scope("shop", URL + "/"), Scope("shoph", URL[1:])])
def test_it_is_foreign_to_another_identity_and_another_address(scope):
    assert "no access key" in unusable(SEALED, scope)


def test_no_bit_of_the_header_can_change():
    for at in range(BODY_AT):
        for bit in range(8):
            changed = bytearray(SEALED)
            changed[at] ^= 1 << bit
            unusable(bytes(changed))


@given(st.integers(BODY_AT * 8, len(SEALED) * 8 - 1))
def test_no_bit_of_the_body_can_change(bit):
    changed = bytearray(SEALED)
    changed[bit // 8] ^= 1 << bit % 8
    assert unusable(bytes(changed)) == "it is damaged"


def test_nothing_can_be_cut_off_or_put_on():
    for length in range(len(SEALED)):
        unusable(SEALED[:length])
    unusable(SEALED + b"\0")


def test_a_slot_of_another_file_does_not_open_this_one():
    other = seal(PLAIN, SCOPE, KEYS)
    unusable(other[: BODY_AT - 12] + SEALED[BODY_AT - 12 :])


@given(st.binary(max_size=400) | st.binary(max_size=400).map(lambda some: MAGIC + some))
def test_what_is_no_sealed_file_is_not_usable(some):
    unusable(some)


def test_what_is_large_and_foreign_is_not_usable():
    unusable(MAGIC + b"\xff" * 8_000_000)
    unusable(MAGIC + b"\x02" * 8_000_000)


def test_neither_content_nor_secret_nor_names_can_be_seen():
    for text in (TOKEN, FIRST.secret.reveal(), SECOND.secret.reveal(), FIRST.ref, SECOND.ref, URL):
        plain = text.encode()
        for form in (plain, plain[::-1], plain.hex().encode(), plain.hex().upper().encode()):
            assert form not in SEALED
        for shift in range(3):
            assert base64.b64encode(plain[shift:])[:4] not in SEALED
        assert text.encode("utf-16-le") not in SEALED


def test_nothing_but_magic_and_count_is_the_same_twice():
    """A nonce or a salt that came again would give the content away."""
    again = seal(PLAIN, SCOPE, KEYS)
    slots = range(41, BODY_AT - 12, 60)
    random = [(8, 40), *((at, at + 12) for at in slots), (BODY_AT - 12, BODY_AT), (BODY_AT, len(again))]
    assert len(again) == len(SEALED)
    assert all(again[start:end] != SEALED[start:end] for start, end in random)


def test_a_secret_that_is_no_unicode_seals_too():
    odd = KeyById("key\udc80", Secret("secret\udcff"))
    assert open_sealed(seal(PLAIN, SCOPE, [odd]), SCOPE, [odd]) == PLAIN


@pytest.mark.parametrize("count", [0, MOST_SLOTS + 1])
def test_it_is_sealed_for_somebody(count):
    with pytest.raises(ValueError, match=f"not with {count}"):
        seal(PLAIN, SCOPE, [FIRST] * count)
