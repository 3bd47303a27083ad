"""Who judges is judged: the strict reader reads what is honest and stops at the first doubt, and the loop leaps."""

import time

import pytest

from tests.fuzz.corpus import kept
from tests.fuzz.oracle import Right, read, right, second_opinion
from tests.fuzz.spelling import read as spelled
from tests.fuzz.standing import Standing

HONEST = kept("honest")
DOUBTS = [
    "{post}Content-Length: 4\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n0\\r\\n\\r\\n{honest}",
    "{post}Content-Length: 5\\r\\nContent-Length: 5\\r\\n\\r\\nhello{honest}",
    "{post}Content-Length: +5\\r\\n\\r\\nhello{honest}",
    "{post}Transfer-Encoding: xchunked\\r\\n\\r\\n0\\r\\n\\r\\n{honest}",
    "{post}Transfer-Encoding: chunked\\r\\n\\r\\n5 \\r\\nhello\\r\\n0\\r\\n\\r\\n{honest}",
    "{post}Transfer-Encoding: chunked\\r\\n\\r\\n4\\r\\nhello\\r\\n0\\r\\n\\r\\n{honest}",
    "{get}X : a\\r\\n\\r\\n{honest}",
    "{get}X: a\\r\\n b\\r\\n\\r\\n{honest}",
    "{get}X: a\\nY: b\\r\\n\\r\\n{honest}",
    "{get}X: a\\x00\\r\\n\\r\\n{honest}",
    "{get}Host: localhost\\r\\n\\r\\n{honest}",
    "GET /v1/token HTTP/1.1\\r\\nMetadata: true\\r\\n\\r\\n{honest}",
    "GET /v1/token HTTP/2.0\\r\\n{fields}\\r\\n{honest}",
    "GET /v1/token\\r\\n\\r\\n{honest}",
    "get /v1/token HTTP/1.1\\r\\n{fields}\\r\\n{honest}",
]


@pytest.mark.parametrize("one", HONEST, ids=str)
def test_what_is_honest_is_read_to_its_end(one) -> None:
    asked, rest = read(one.stream)
    assert rest == b""
    assert all(right(asked[-1], door) is Right.TOKEN for door in one.doors)
    assert second_opinion(one.stream) == len(asked)


@pytest.mark.parametrize("text", DOUBTS)
def test_at_the_first_doubt_it_stops(text: str) -> None:
    stream = spelled(text)
    asked, rest = read(stream)
    assert asked == []
    assert rest == stream


def test_what_may_be_had_depends_on_the_listener() -> None:
    rights = {
        "GET /v1/token HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n": (Right.TOKEN, Right.NOTHING),
        "GET /v1/token HTTP/1.1\\r\\nHost: b\\r\\nMetadata: true\\r\\n\\r\\n": (Right.TOKEN, Right.NOTHING),
        "GET /livez HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n": (Right.ANSWER, Right.ANSWER),
        "{get}Origin: null\\r\\n\\r\\n": (Right.NOTHING, Right.NOTHING),
        "GET /v1/identities/other/token HTTP/1.1\\r\\n{fields}\\r\\n": (Right.NOTHING, Right.NOTHING),
    }
    for text, (unix, tcp) in rights.items():
        (asked,), _ = read(spelled(text))
        assert (right(asked, "unix"), right(asked, "tcp")) == (unix, tcp), text


def test_deadlines_cost_nothing(broker: Standing) -> None:
    """Silence is closed after ten seconds of the loop's time, and half a request is told so."""
    began = time.monotonic()
    silent, half = broker.ask("unix", []), broker.ask("tcp", [b"GET /v1"])
    assert (silent.answer, silent.ended) == (b"", "closed")
    assert half.answer.startswith(b"HTTP/1.1 408 ")
    assert 9 < silent.seconds < 12
    assert 9 < half.seconds < 12
    assert time.monotonic() - began < 15
