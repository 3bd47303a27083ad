"""The messages to and from the kernel: what they say is read exactly, and any bytes without trouble."""

import errno
import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.callers import sock_diag
from broker.callers.sock_diag import Answer, End, end_of
from tests.callers.diag_messages import GOOD, LOCALHOST, MAPPED, MAPPED_OURS, SAID, answer, error

SIX = End(bytes(15) + b"\x01", 40_000)


@pytest.mark.parametrize(
    ("name", "end"),
    [
        (("127.0.0.1", 40_000), MAPPED),
        (("::ffff:127.0.0.1", 40_000, 0, 0), MAPPED),
        (("::1", 40_000, 0, 0), SIX),
        (("fe80::1%eth0", 1, 0, 2), None),
        (("localhost", 1), None),
        ("", None),
        (b"\0abstract", None),
        ((4321, 0), None),
        ((), None),
        (None, None),
    ],
)
def test_an_address_has_one_form(name: object, end: End | None):
    assert end_of(name) == end


@pytest.mark.parametrize(
    ("host", "is_loopback"),
    [
        ("127.0.0.1", True),
        ("127.255.255.255", True),
        ("::ffff:127.1.2.3", True),
        ("::1", True),
        ("126.255.255.255", False),
        ("128.0.0.1", False),
        ("0.0.0.0", False),  # noqa: S104 - nothing is bound
        ("::", False),
        ("::2", False),
        ("::127.0.0.1", False),
        ("::fffe:127.0.0.1", False),
        ("7f00::1", False),
    ],
)
def test_loopback_is_what_the_kernel_takes_for_it(host: str, is_loopback: bool):
    end = end_of((host, 1))
    assert end
    assert end.is_loopback == is_loopback


@pytest.mark.parametrize(
    ("own", "family", "address"),
    [(MAPPED, socket.AF_INET, LOCALHOST), (SIX, socket.AF_INET6, SIX.address)],
)
def test_a_question_is_exact_and_no_dump(own: End, family: int, address: bytes):
    message = sock_diag.question(own, own._replace(port=9780), 7, 8)
    assert struct.unpack_from("=IHHII", message) == (72, 20, 1, 7, 8)
    assert message[16:20] == bytes([family, socket.IPPROTO_TCP, 0, 0])
    assert struct.unpack_from(">HH", message, 24) == (40_000, 9780)
    assert message[28:44] == message[44:60] == address.ljust(16, b"\0")
    assert struct.unpack_from("=I8s", message, 60) == (1, b"\xff" * 8)
    assert len(message) == 72


def test_an_answer_is_read():
    assert sock_diag.parse(GOOD) == SAID
    assert sock_diag.parse(answer(socket.AF_INET6, MAPPED.address, MAPPED.address) + b"attributes") == SAID
    assert sock_diag.parse(answer(socket.AF_INET, LOCALHOST + b"dirt", LOCALHOST)) == SAID


@pytest.mark.parametrize(
    "message",
    [
        b"",
        *(GOOD[:size] for size in (1, 15, 16, 20, 87)),
        answer(socket.AF_INET, LOCALHOST, LOCALHOST, length=87),
        answer(socket.AF_INET, LOCALHOST, LOCALHOST, length=89),
        answer(socket.AF_INET, LOCALHOST, LOCALHOST, kind=3),
        answer(socket.AF_INET, LOCALHOST, LOCALHOST, kind=2),
        answer(socket.AF_UNIX, LOCALHOST, LOCALHOST),
        error(errno.ENOENT),
    ],
)
def test_what_is_no_answer_tells_of_no_socket(message: bytes):
    assert sock_diag.parse(message) is None


@given(st.binary(max_size=200))
def test_any_bytes_are_read_without_trouble(message: bytes):
    sock_diag.parse(message)
    assert sock_diag.refusal(message) >= 0
    sock_diag.answers(message, 1, 2)


@given(st.integers(16, 87), st.binary(min_size=1, max_size=1))
def test_damage_behind_the_header_never_breaks_the_reading(at: int, byte: bytes):
    found = sock_diag.parse(GOOD[:at] + byte + GOOD[at + 1 :])
    assert found is None or isinstance(found, Answer)


ASKED = sock_diag.question(MAPPED, MAPPED_OURS, 5, 6)
ASKED_6 = sock_diag.question(SIX, SIX._replace(port=9780), 5, 6)
GOOD_6 = answer(socket.AF_INET6, SIX.address, SIX.address)


@pytest.mark.parametrize(
    ("asked", "message"), [(ASKED, GOOD), (ASKED_6, GOOD_6), (ASKED, GOOD + b"attributes")]
)
def test_the_very_socket_is_known_at_a_glance(asked: bytes, message: bytes):
    found = sock_diag.parse(message)
    assert found
    assert sock_diag.exactly(message, asked) == (found.state, found.uid, found.inode) == (1, 1234, 5678)


@pytest.mark.parametrize("asked", [ASKED, ASKED_6])
@pytest.mark.parametrize("at", [16, *range(20, 56)])
def test_one_bit_of_family_or_ends_that_is_another_is_another_socket(asked: bytes, at: int):
    message = bytearray(GOOD if asked is ASKED else GOOD_6)
    assert sock_diag.exactly(bytes(message), asked)
    message[at] ^= 1
    assert sock_diag.exactly(bytes(message), asked) is None


@given(st.binary(max_size=100), st.integers(0, 88), st.booleans())
def test_a_glance_tells_what_a_reading_tells_or_nothing(damage: bytes, at: int, cut: bool):
    message = GOOD[:at] + damage + (b"" if cut else GOOD[at + len(damage) :])
    if (told := sock_diag.exactly(message, ASKED)) is not None:
        state, uid, inode = told
        assert sock_diag.parse(message) == Answer(state, MAPPED, MAPPED_OURS, uid, inode)


@pytest.mark.parametrize(
    "message",
    [
        *(GOOD[:size] for size in (0, 15, 16, 20, 87)),
        *(answer(socket.AF_INET, LOCALHOST, LOCALHOST, length=length) for length in (87, 89)),
        *(answer(socket.AF_INET, LOCALHOST, LOCALHOST, kind=kind) for kind in (2, 3)),
        # The same 16 bytes are another address in the other family.
        answer(socket.AF_INET6, LOCALHOST, LOCALHOST),
    ],
)
def test_what_is_no_answer_is_none_at_a_glance(message: bytes):
    assert sock_diag.exactly(message, ASKED) is None


def test_an_answer_belongs_to_its_question():
    assert sock_diag.answers(GOOD, 5, 6)
    assert not sock_diag.answers(GOOD, 4, 6)
    assert not sock_diag.answers(GOOD, 5, 7)
    assert not sock_diag.answers(GOOD[:15], 5, 6)


@pytest.mark.parametrize(
    ("message", "number"), [(error(1), 1), (error(0), 0), (error(-1), 0), (GOOD, 0), (error(1)[:19], 0)]
)
def test_a_refusal_has_its_number(message: bytes, number: int):
    assert sock_diag.refusal(message) == number
