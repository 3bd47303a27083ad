"""The load generator counts nothing but whole answers with status 200, against the broker and against servers that are wrong."""

import shutil
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from bench.speed.daemon import broker
from bench.speed.emulator import emulator
from bench.speed.generator import Generator, Target, Work
from bench.speed.processes import Failed
from bench.speed.tools import generator

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(shutil.which("cc") is None, reason="the load generator needs a C compiler"),
]
SHORT = Work(callers=2, seconds=0.2, warm_up=0.0)
ASKED = (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",)


@pytest.fixture(scope="module")
def load() -> Generator:
    return Generator(generator(lambda _: None))


@contextmanager
def serving(folder: Path, answer: bytes) -> Iterator[Target]:
    """A server that answers everything with this."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(ConnectionError):  # the generator hangs up on what is wrong
                while self.request.recv(4096):
                    self.request.sendall(answer)

    path = folder / "s"
    with socketserver.ThreadingUnixStreamServer(str(path), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield Target(path, ASKED, ())
        finally:
            server.shutdown()
            thread.join()


def test_a_broker_is_loaded_in_every_way(tmp_path, load):
    with emulator() as iam, broker(tmp_path / "b", iam, 2) as up:
        for target in (up.target(paths=up.paths()), up.target(tcp=True)):
            for work in (SHORT, Work(2, each_connects=True, seconds=0.2), Work(2, rate=200.0, seconds=0.2)):
                found = load.load(target, work)
                assert found.errors == 0
                assert found.cpu_seconds > 0
                assert found.answer_bytes > 400
                assert 0 < found.p50 <= found.p99 <= found.longest
        assert load.load(up.target(), Work(2, seconds=20.0, warm_up=0.0, most=50)).requests >= 50
        with load.idle(up.target(), 20, seconds=10.0) as idle:
            assert idle.open == 20
            assert idle.still_open() == 20


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokay",
        b"HTTP/1.1 200 OK\r\nDate: now\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    ],
    ids=["another status", "more than a body", "no length", "another version"],
)
def test_what_is_no_whole_200_is_an_error(tmp_path, load, answer):
    with serving(tmp_path, answer) as target, pytest.raises(Failed, match="nothing was answered"):
        load.load(target, SHORT)


def test_a_whole_200_counts(tmp_path, load):
    with serving(tmp_path, b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok") as target:
        found = load.load(target, SHORT)
    assert (found.errors, found.answer_bytes) == (0, 40.0)


def test_half_a_body_counts_for_nothing(tmp_path, load):
    with (
        serving(tmp_path, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok") as target,
        pytest.raises(Failed),
    ):
        load.load(target, SHORT)


def test_lines_count_when_they_are_good(tmp_path, load):
    asked = (b'{"action": "credentials"}\n',)
    for answer, good in ((b'{"ok":true}\n', True), (b'{"ok":false}\n', False)):
        folder = tmp_path / str(good)
        folder.mkdir()
        with serving(folder, answer) as server:
            target = Target(server.where, asked, (), lines=True)
            if good:
                assert load.load(target, SHORT).errors == 0
            else:
                with pytest.raises(Failed):
                    load.load(target, SHORT)
