"""One request: bounded, past every proxy, and whatever is wrong at the other end is one sentence and exit code 69."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from broker.client import ask
from broker.client.failures import Unreachable
from tests.callers.folders import open_folder
from tests.client.scripted import answered, scripted

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


def unreachable(path: Path, timeout: float = 5.0) -> str:
    with pytest.raises(Unreachable) as caught:
        ask.get(path, "/x", {}, timeout, named=True).tree()
    assert caught.value.exit_code == 69
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_an_answer_is_passed_on_as_it_is(tmp_path: Path):
    with scripted(tmp_path / "s", answered(418, {"a": 1})) as seen:
        answer = ask.get(tmp_path / "s", "/x?y", {"Prefer": "wait=1"}, 5, named=True)
    assert (answer.status, answer.tree()) == (418, {"a": 1})
    assert seen[0].startswith(b"GET /x?y HTTP/1.1\r\n")
    assert b"\r\nMetadata: true\r\n" in seen[0]
    assert b"\r\nPrefer: wait=1\r\n" in seen[0]


def test_no_proxy_is_ever_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """One is named by every variable there is, and would refuse."""
    for name in PROXIES:
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    with scripted(tmp_path / "s", answered(200, {"a": 1})):
        assert ask.get(tmp_path / "s", "/x", {}, 5, named=True).tree() == {"a": 1}


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
@pytest.mark.parametrize("named", [False, True])
def test_an_unnamed_socket_of_a_stranger_is_refused_before_a_byte_is_sent(named: bool):
    """Whoever names it has looked; whoever found it has not."""
    with open_folder() as folder:
        path = folder / "s"
        command = [sys.executable, "-c", STRANGER, str(path), "answer" if named else "listen"]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as stranger:
            assert stranger.stdout
            assert stranger.stdout.readline() == b"listens\n"
            if named:
                assert ask.get(path, "/x", {}, 5, named=True).body == b"{}"
            else:
                with pytest.raises(Unreachable) as caught:
                    ask.get(path, "/x", {}, 5, named=False)
                told = "is served by uid 54321, who is neither root, you nor its folder's owner"
                assert told in str(caught.value)
            assert (stranger.stdout.read() == b"") is not named


@pytest.mark.skipif(os.geteuid() != 0, reason="giving folders away needs root")
def test_the_owner_of_the_folder_may_serve_there():
    with open_folder() as folder:
        os.chown(folder, 54321, 54321)
        command = [sys.executable, "-c", STRANGER, str(folder / "s"), "answer"]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as owner:
            assert owner.stdout
            owner.stdout.readline()
            assert ask.get(folder / "s", "/x", {}, 5, named=False).status == 200
