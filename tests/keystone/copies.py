"""The stem of all Keystones and its copies, as tests hold them: one stem for a run of pytest, a copy for each start.

- A copy dies with this process, since it watches its standard input; so does the stem.
- Only the stem may wait for a copy, so it is the one that ends it, and no pid is ever taken for another's.
"""

import json
import os
import select
import socket
import subprocess
import tempfile
import threading
from typing import BinaryIO

from tests.venvs import KEYSTONE, ROOT

DEADLINE = 60.0  # seconds; a start takes about one, the first four, and on a busy machine several times that
TAIL = 20  # lines of a log that explain a failure


class KeystoneError(Exception):
    """Keystone did not start; the message ends with what it wrote last."""


class Stem:
    """The process that has Keystone imported; asked by one thread at a time."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  (closed with the stem)
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._channel.settimeout(DEADLINE)
        with theirs:
            self._process = subprocess.Popen(
                [KEYSTONE.python, "-m", "tests.keystone.stem"],
                cwd=ROOT,
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=self._said,
            )

    def copy(self, options: list[str], password: str, log: BinaryIO) -> "Copy":
        """A server with these options, that writes to this log."""
        read_in, write_in = os.pipe()
        read_out, write_out = os.pipe()
        streams = [read_in, write_out, log.fileno()]
        try:
            pid = self.ask({"do": "start", "options": options, "password": password}, streams)
        except BaseException:
            os.close(write_in)
            os.close(read_out)
            raise
        finally:
            os.close(read_in)
            os.close(write_out)
        return Copy(self, pid, os.fdopen(write_in, "wb"), os.fdopen(read_out, "rb"))

    def ask(self, what: dict[str, object], streams: list[int]) -> int:
        """Its answer. Raises KeystoneError when it has none."""
        with self._turn:
            try:
                socket.send_fds(self._channel, [json.dumps(what).encode()], streams)
                answer = self._channel.recv(100)
            except OSError as error:
                answer = str(error).encode()
        try:
            return int(answer)
        except ValueError:
            self._said.seek(0)
            raise KeystoneError(f"the stem of all Keystones has failed:\n{last(self._said.read())}") from None

    def end(self) -> None:
        """Let it go, and wait until it has gone."""
        self._channel.close()
        self._process.wait(DEADLINE)
        self._said.close()


class Copy:
    """A server, and this side of its pipes."""

    def __init__(self, stem: Stem, pid: int, stdin: BinaryIO, stdout: BinaryIO) -> None:
        self.stdin = stdin
        self._stem = stem
        self._pid = pid
        self._code: int | None = None
        self._stdout = stdout

    def line(self) -> bytes | None:
        """What it says next, nothing once it has ended; None if that does not come in time."""
        readable, _, _ = select.select([self._stdout], [], [], DEADLINE)
        return self._stdout.readline() if readable else None

    def end(self) -> int:
        """End it, if it has not ended by itself; its exit code, negative for a signal."""
        if self._code is None:
            self.stdin.close()
            self._stdout.close()
            self._code = self._stem.ask({"do": "end", "pid": self._pid}, [])
        return self._code


def last(log: bytes) -> str:
    """The lines that explain a failure."""
    return "\n".join(log.decode(errors="replace").splitlines()[-TAIL:])
