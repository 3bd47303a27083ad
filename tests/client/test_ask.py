"""One request: bounded, past every proxy, and whatever is wrong at the other end is one sentence and exit code 69."""

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from broker.client import ask
from broker.client.address import Address, TcpAddress, UnixAddress
from broker.client.failures import Unreachable
from tests.callers.folders import open_folder
from tests.client.scripted import answered, loopback, scripted

PROXIES = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")

STRANGER = """
import os, socket, sys
server = socket.socket(socket.AF_UNIX)
os.umask(0)
server.bind(sys.argv[1])
os.setgroups([])
os.setgid(54321)
os.setuid(54321)
server.listen()
print("listens", flush=True)
connection, _ = server.accept()
sys.stdout.buffer.write(connection.recv(1000))
if sys.argv[2] == "answer":
    connection.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\n{}")
"""


def named(path: Path) -> Address:
    return UnixAddress(str(path), named=True)


def unreachable(place: Path | Address, timeout: float = 5.0) -> str:
    with pytest.raises(Unreachable) as caught:
        ask.get(named(place) if isinstance(place, Path) else place, "/x", {}, timeout).tree()
    assert caught.value.exit_code == 69
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_an_answer_is_passed_on_as_it_is(tmp_path: Path):
    with scripted(tmp_path / "s", answered(418, {"a": 1})) as seen:
        answer = ask.get(named(tmp_path / "s"), "/x?y", {"Prefer": "wait=1"}, 5)
    assert (answer.status, answer.tree()) == (418, {"a": 1})
    assert seen[0].startswith(b"GET /x?y HTTP/1.1\r\n")
    assert b"\r\nMetadata: true\r\n" in seen[0]
    assert b"\r\nPrefer: wait=1\r\n" in seen[0]


def test_a_body_is_sent_as_json(tmp_path: Path):
    with scripted(tmp_path / "s", answered(200, {"a": 1})) as seen:
        answer = ask.post(named(tmp_path / "s"), "/x", {"b": 2}, {"Prefer": "wait=1"}, 5)
    assert (answer.status, answer.tree()) == (200, {"a": 1})
    assert seen[0].startswith(b"POST /x HTTP/1.1\r\n")
    for line in (
        b"Metadata: true",
        b"Prefer: wait=1",
        b"Content-Type: application/json",
        b"Content-Length: 8",
    ):
        assert b"\r\n%s\r\n" % line in seen[0]
    assert seen[0].endswith(b'\r\n\r\n{"b": 2}')


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_over_loopback_the_header_and_the_host_are_what_the_broker_wants(host: str):
    server, port = loopback(host)
    with scripted(server, answered(200, {"a": 1}, head='ETag: W/"x"\r\n')) as seen:
        answer = ask.get(TcpAddress(host, port), "/x", {}, 5)
    assert (answer.status, answer.tree(), answer.etag) == (200, {"a": 1}, 'W/"x"')
    assert b"\r\nMetadata: true\r\n" in seen[0]
    assert f"\r\nHost: {'[::1]' if ':' in host else host}:{port}\r\n".encode() in seen[0]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_localhost_is_whichever_loopback_listens(host: str):
    server, port = loopback(host)
    with scripted(server, answered(200, {"a": 1})):
        assert ask.get(TcpAddress("localhost", port), "/x", {}, 5).tree() == {"a": 1}


def test_nobody_at_the_port():
    server, port = loopback()
    server.close()
    told = unreachable(TcpAddress("localhost", port))
    assert told == f"no broker is running at http://localhost:{port}; start it with `broker run`"


def test_no_redirect_is_followed(tmp_path: Path):
    elsewhere, port = loopback()
    moved = answered(307, {}, head=f"Location: http://127.0.0.1:{port}/x\r\n")
    with scripted(elsewhere, answered(200, {})) as there, scripted(tmp_path / "s", moved) as here:
        assert ask.get(named(tmp_path / "s"), "/x", {}, 5).status == 307
    assert (len(here), len(there)) == (1, 0)


def test_no_proxy_is_ever_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """One is named by every variable there is, and would refuse."""
    for name in PROXIES:
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    with scripted(tmp_path / "s", answered(200, {"a": 1})):
        assert ask.get(named(tmp_path / "s"), "/x", {}, 5).tree() == {"a": 1}
    server, port = loopback()
    with scripted(server, answered(200, {"a": 1})):
        assert ask.get(TcpAddress("127.0.0.1", port), "/x", {}, 5).tree() == {"a": 1}


def test_no_broker(tmp_path: Path):
    told = f"no broker is running at {tmp_path}/s; start it with `broker run`"
    assert unreachable(tmp_path / "s") == told


def test_a_stale_socket(tmp_path: Path):
    with socket.socket(socket.AF_UNIX) as crashed:
        crashed.bind(str(tmp_path / "s"))
    assert unreachable(tmp_path / "s") == f"no broker is running at {tmp_path}/s; start it with `broker run`"


def test_a_silent_server_is_left_after_the_timeout(tmp_path: Path):
    with scripted(tmp_path / "s", None):
        assert "does not answer" in unreachable(tmp_path / "s", 0.05)


@pytest.mark.parametrize(
    "begun", [b"HTTP/1.", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n"]
)
def test_a_server_that_sends_a_byte_at_a_time_is_left_after_the_timeout(begun: bytes):
    """Each step is short; all of them together may not be long."""
    server, port = loopback()
    server.listen()

    def drip() -> None:
        connection, _ = server.accept()
        with connection, contextlib.suppress(OSError):
            connection.sendall(begun)
            while True:
                connection.sendall(b"x")
                time.sleep(0.01)

    thread = threading.Thread(target=drip)
    thread.start()
    began = time.monotonic()
    assert "does not answer" in unreachable(TcpAddress("127.0.0.1", port), 0.3)
    assert time.monotonic() - began < 2
    thread.join()
    server.close()


def test_a_full_queue_is_waited_for_and_not_beyond_the_timeout(tmp_path: Path):
    """Five hundred callers may come at once."""
    with socket.socket(socket.AF_UNIX) as server, contextlib.ExitStack() as stack:
        server.bind(str(tmp_path / "s"))
        server.listen(0)
        first = stack.enter_context(socket.socket(socket.AF_UNIX))
        first.connect(str(tmp_path / "s"))
        began = time.monotonic()
        assert "does not answer" in unreachable(tmp_path / "s", 0.2)
        assert 0.2 <= time.monotonic() - began < 2


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"garbage\r\n\r\n",
        b"\x00" * 70_000,
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000 + b"\r\n{}",
        answered(200, {"token": "x" * 1000})[:-10],
        answered(200, b"<html>hello</html>"),
        answered(200, b"\xff\xfe"),
        answered(200, b"[" * 100_000),
        answered(200, []),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: no\r\n\r\nno json",
    ],
)
def test_garbage_and_what_breaks_off_is_one_sentence(tmp_path: Path, reply: bytes):
    with scripted(tmp_path / "s", reply):
        assert "broke off" in (told := unreachable(tmp_path / "s")) or "is no broker" in told


@pytest.mark.skipif(os.geteuid() != 0, reason="serving as another user needs root")
@pytest.mark.parametrize("by_name", [False, True])
def test_an_unnamed_socket_of_a_stranger_is_refused_before_a_byte_is_sent(by_name: bool):
    """Whoever names it has looked; whoever found it has not."""
    with open_folder() as folder:
        path = folder / "s"
        command = [sys.executable, "-c", STRANGER, str(path), "answer" if by_name else "listen"]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as stranger:
            assert stranger.stdout
            assert stranger.stdout.readline() == b"listens\n"
            if by_name:
                assert ask.get(named(path), "/x", {}, 5).body == b"{}"
            else:
                with pytest.raises(Unreachable) as caught:
                    ask.get(UnixAddress(str(path), named=False), "/x", {}, 5)
                told = "is served by uid 54321, who is neither root, you nor its folder's owner"
                assert told in str(caught.value)
            assert (stranger.stdout.read() == b"") is not by_name


@pytest.mark.skipif(os.geteuid() != 0, reason="giving folders away needs root")
def test_the_owner_of_the_folder_may_serve_there():
    with open_folder() as folder:
        os.chown(folder, 54321, 54321)
        command = [sys.executable, "-c", STRANGER, str(folder / "s"), "answer"]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as owner:
            assert owner.stdout
            owner.stdout.readline()
            assert ask.get(UnixAddress(str(folder / "s"), named=False), "/x", {}, 5).status == 200
