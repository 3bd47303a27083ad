"""The audit trail on stdout: whatever its other end does, only the outlet's own thread waits, and not for ever."""

import errno
import json
import os
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import pytest

from broker.observability.outlet import Outlet
from broker.observability.to_stdout import ToStdout
from tests.fakes.clock import EPOCH
from tests.observability.trail import filled, numbered, parsed, until

ROOT = Path(__file__).parents[2]


def wall() -> datetime:
    return EPOCH


def pipe(*, blocking: bool = True) -> tuple[int, ToStdout]:
    """The end that is read, and what writes into the other."""
    read, write = os.pipe()
    os.set_blocking(write, blocking)
    return read, ToStdout(write, patience=0.05)


@pytest.mark.parametrize("blocking", [True, False])
def test_a_reader_that_never_reads_is_trouble_after_a_while_and_what_it_had_is_whole(blocking: bool):
    read, sink = pipe(blocking=blocking)
    count, error = filled(sink)
    assert isinstance(error, TimeoutError)
    assert sink.remedy(error) == "its reader does not read on; mend or restart it"
    assert [line["number"] for line in parsed(os.read(read, 1 << 16))] == list(range(count))
    assert count > 10
    assert os.get_blocking(sink._stream.descriptor) is blocking, "others share it"
    sink.write(numbered(count))
    assert len(parsed(os.read(read, 1 << 16))) == 1
    os.close(read)
    sink.close()


def test_a_reader_that_has_ended_says_so():
    read, sink = pipe()
    os.close(read)
    with pytest.raises(BrokenPipeError) as caught:
        sink.write(numbered(1))
    assert caught.value.errno == errno.EPIPE
    assert sink.remedy(caught.value) == "its reader has ended; restart the broker with one that lasts"
    sink.close()


def test_a_stream_that_takes_half_a_line_gets_no_line_behind_it():
    """A socket, as the journal gives it to a service, may take any part; here only what fits."""
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    writer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4608)
    sink = ToStdout(os.dup(writer.fileno()), patience=0.05)
    sent, _ = filled(sink)
    first = reader.recv(1 << 20)
    sink.write(numbered(sent + 1))
    second = reader.recv(1 << 20)
    lines = (first + second).splitlines()
    assert json.loads(lines[-1])["number"] == sent + 1
    assert len([line for line in lines if line.endswith(b"}")]) == sent + 1
    reader.close()
    writer.close()
    sink.close()


def test_an_outlet_whose_pipe_is_stalled_comes_back_when_it_is_read(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("broker.observability.outlet.FIRST_PAUSE", 0.001)
    monkeypatch.setattr("broker.observability.outlet.LONGEST_PAUSE", 0.01)
    read, sink = pipe()
    out = Outlet(sink, wall)
    for number in range(3_000):
        out.put(numbered(number))
    until(lambda: out.trouble)
    assert "stdout (it takes no more); its reader does not read on" in str(out.trouble)
    with ThreadPoolExecutor(1) as reader:
        text = reader.submit(_all_of, read)
        until(lambda: out.trouble is None)
        out.close()
        lines = parsed(text.result(20))
    lost = sum(line["lines"] for line in lines if line["event"] == "lost")
    assert lost == out.lost >= 1
    assert sum(line["event"] == "token" for line in lines) == 3_000 - lost


def _all_of(read: int) -> bytes:
    with open(read, "rb") as file:
        return file.read()


CLOSED = """
from broker.core.errors import ConfigError
from broker.observability.to_stdout import to_stdout
import os, sys
taken = os.open("/dev/null", os.O_RDWR)  # takes the number of stdout
try:
    to_stdout()
except ConfigError as error:
    sys.stderr.write(str(error))
"""


def test_a_stdout_that_was_closed_at_the_start_is_a_mistake_and_no_other_file_gets_its_lines():
    command = ("sh", "-c", 'exec "$@" >&-', "sh", sys.executable, "-c", CLOSED)
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False, timeout=60, cwd=ROOT)
    assert done.stderr == 'log.audit: is stdout, which is closed; open it, as by >/dev/null, or write "off"'
