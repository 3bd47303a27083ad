"""A real Keystone as a child process, which a test may stop and start again on the same port and folder.

- `launch` and `halt` block, and know no event loop, so that a fixture may keep one Keystone for a whole run.
- `start`, `stop` and `async with` are the same from within a test.
- The child dies with this process: it watches the pipe on its standard input.
"""

import asyncio
import json
import os
import secrets
import select
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from tests.keystone.install import PYTHON, ROOT
from tests.tls import ServerTls

DEADLINE = 60.0  # seconds; a start takes about two, on a busy machine several
TAIL = 20  # lines of its log that explain a failed start
HALF_A_DAY = 43200


class KeystoneError(Exception):
    """Keystone did not start; the message ends with what it wrote last."""


@dataclass(frozen=True, slots=True)
class Serving:
    """The server's own line about itself."""

    root: str  # without a path; the test's own questions live here
    url: str  # ending in /identity/v3
    admin_name: str
    admin_user_id: str
    admin_project_id: str
    domain_id: str


class Keystone:
    """One server and its data folder, which it never shares."""

    def __init__(
        self,
        folder: Path,
        *,
        life: int = HALF_A_DAY,
        tls: ServerTls | None = None,
        require_content_type: bool = True,
    ) -> None:
        self.tls = tls
        self.password = secrets.token_urlsafe()
        self._folder = folder
        self._options = [f"--life={life}"]
        if tls:
            self._options += [f"--tls-cert={tls.cert}", f"--tls-key={tls.key}"]
        if not require_content_type:
            self._options.append("--no-require-content-type")
        self._port = 0
        self._serving: Serving | None = None
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def serving(self) -> Serving:
        """What the server said at its last start; it stays true while it is stopped."""
        if self._serving is None:
            raise KeystoneError("Keystone has not been started")
        return self._serving

    def launch(self) -> None:
        """Start, and return once it answers; on the port it had, if it had one."""
        if self._child is not None:
            raise KeystoneError("Keystone is already running")
        self._folder.mkdir(exist_ok=True)
        command: list[str | Path] = [
            PYTHON,
            "-m",
            "tests.keystone.server",
            self._folder,
            f"--port={self._port}",
        ]
        with self._log.open("ab") as log:
            self._child = subprocess.Popen(
                [*command, *self._options],
                cwd=ROOT,
                env={**os.environ, "KEYSTONE_ADMIN_PASSWORD": self.password},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        self._serving = Serving(**json.loads(self._first_line(self._child)))
        self._port = urlsplit(self._serving.root).port or 0

    def halt(self) -> None:
        """End it at once, as a crash would; what it has answered is kept."""
        child, self._child = self._child, None
        if child is None:
            return
        child.kill()
        with child:  # closes the pipes and reaps
            pass

    async def start(self) -> None:
        """`launch`, from within a test."""
        await asyncio.to_thread(self.launch)

    async def stop(self) -> None:
        """`halt`, from within a test."""
        await asyncio.to_thread(self.halt)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self.stop()

    @property
    def _log(self) -> Path:
        return self._folder / "keystone.log"

    def _first_line(self, child: subprocess.Popen[bytes]) -> bytes:
        assert child.stdout is not None
        readable, _, _ = select.select([child.stdout], [], [], DEADLINE)
        line = child.stdout.readline() if readable else b""
        if line:
            return line
        what = "ended before it served" if readable else f"did not serve within {DEADLINE:.0f} s"
        self.halt()
        tail = "\n".join(self._log.read_text(errors="replace").splitlines()[-TAIL:])
        raise KeystoneError(f"Keystone {what}; the end of its log:\n{tail}")
