"""An answer is read strictly: what no broker sends is from no broker, and is told so in one sentence."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from broker.client import ask, reply
from broker.client.address import TcpAddress, UnixAddress
from broker.client.failures import Unreachable
from broker.client.reply import Head
from tests.client.scripted import loopback, scripted

STRANGE = "what listens there is no broker; is KAKAOCLOUD_BROKER_URL right?"
CUT = "broke off (its answer is cut short); try again, and see its log"
OK = b"HTTP/1.1 200 OK\r\n"


def asked(path: Path, answer: bytes) -> str:
    """The status and the body, or the sentence."""
    with scripted(path, answer):
        try:
            found = ask.get(UnixAddress(str(path), named=True), "/x", {}, 5)
        except Unreachable as error:
            return str(error)
    return f"{found.status} {found.body.decode()}"


@pytest.mark.parametrize(
    "answer",
    [
        OK + b"\r\n{}",  # no length: a cut answer would look whole
        OK + b"Content-Length: \r\n\r\n{}",
        OK + b"Content-Length: -1\r\n\r\n{}",
        OK + b"Content-Length: +2\r\n\r\n{}",
        OK + b"Content-Length: 0x2\r\n\r\n{}",
        OK + b"Content-Length: 2, 2\r\n\r\n{}",
        OK + b"Content-Length: 8388609\r\n\r\n{}",
        OK + b"Content-Length: " + b"9" * 10_000 + b"\r\n\r\n{}",
        OK + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
        OK + b"Content-Length: 2\r\ncontent-length: 3\r\n\r\n{}",
        OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n{}",
        OK + b"Content-Length: 2\r\nETag: a\r\nETag: b\r\n\r\n{}",
        OK + b"Content-Length: 2\r\nX: " + b"y" * reply.LONGEST_HEAD + b"\r\n\r\n{}",
        OK + b"X: y\r\n" * reply.LONGEST_HEAD,
        OK + b"Content-Length: 2\nX: y\r\n\r\n{}",
        OK + b"Content-Length: 2\r\nX: \0\r\n\r\n{}",
        OK + b"Content-Length: 2\r\nX: \xff\r\n\r\n{}",
        OK + b"Content-Length: 2\r\n X: folded\r\n\r\n{}",
        OK + b"Content-Length : 2\r\n\r\n{}",
        OK + b"no field\r\nContent-Length: 2\r\n\r\n{}",
        OK + b": 1\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"Content-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 999 Odd\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 2000 Odd\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 20 Odd\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1  200 OK\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 abc OK\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.9 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/2 200\r\nContent-Length: 2\r\n\r\n{}",
        b"\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"garbage",
        b"\x00" * 70_000,
    ],
)
def test_what_no_broker_sends_is_one_sentence(tmp_path: Path, answer: bytes):
    assert asked(tmp_path / "s", answer) == STRANGE


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP",
        OK,
        OK + b"Content-Length: 2\r\n",
        OK + b"Content-Length: 2\r\n\r\n",
        OK + b"Content-Length: 2\r\n\r\n{",
    ],
)
def test_what_is_cut_short_is_one_sentence(tmp_path: Path, answer: bytes):
    told = asked(tmp_path / "s", answer)
    assert told == f"the broker at {tmp_path}/s {CUT}"


@pytest.mark.parametrize(
    ("answer", "read"),
    [
        (OK + b"Content-Length: 2\r\n\r\n{}", "200 {}"),
        (OK + b"content-length:2 \r\n\r\n{} and more", "200 {}"),
        (b"HTTP/1.0 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", "503 "),
        (b"HTTP/1.1 418\r\nContent-Length: 1\r\n\r\nx", "418 x"),
        (b"HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n", "304 "),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n", "304 "),
        (OK + b"Content-Length: 100000\r\n\r\n" + b"x" * 100_000, "200 " + "x" * 100_000),
    ],
)
def test_what_a_broker_sends_is_read(tmp_path: Path, answer: bytes, read: str):
    assert asked(tmp_path / "s", answer) == read


def test_a_server_that_speaks_otherwise_and_then_waits_is_not_waited_for():
    """Rule: its first bytes tell; a mail server that greets and holds the line costs no time-out."""
    server, port = loopback()
    server.listen()
    with server, ThreadPoolExecutor(1) as pool:
        asking = pool.submit(ask.get, TcpAddress("127.0.0.1", port), "/x", {}, 60)
        connection, _ = server.accept()
        with connection:
            connection.sendall(b"220 mail ESMTP\r\n")
            with pytest.raises(Unreachable, match="is no broker"):
                asking.result(timeout=30)


def test_the_kind_is_the_media_type_alone():
    assert (
        Head(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Type: Text/Plain ; charset=x").kind
        == "text/plain"
    )
    assert Head(b"HTTP/1.1 200 OK\r\nContent-Length: 1").kind == ""
