"""A real Keystone as a process, which a test may stop and start again on the same port and folder.

- `launch` and `halt` block, and know no event loop, so that a fixture may keep one Keystone for a whole run.
- `start`, `stop` and `async with` are the same from within a test.
- The server dies with this process: it watches the pipe on its standard input.
"""

import asyncio
import json
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from tests.keystone.copies import DEADLINE, Copy, KeystoneError, Stem, last
from tests.tls import ServerTls

HALF_A_DAY = 43200


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
        stem: Stem,
        folder: Path,
        *,
        life: int = HALF_A_DAY,
        tls: ServerTls | None = None,
        require_content_type: bool = True,
    ) -> None:
        self.tls = tls
        self._stem = stem
        self.password = secrets.token_urlsafe()
        self._folder = folder
        self._options = [f"--life={life}"]
        if tls:
            self._options += [f"--tls-cert={tls.cert}", f"--tls-key={tls.key}"]
        if not require_content_type:
            self._options.append("--no-require-content-type")
        self._port = 0
        self._serving: Serving | None = None
        self._server: Copy | None = None

    @property
    def serving(self) -> Serving:
        """What the server said at its last start; it stays true while it is stopped."""
        if self._serving is None:
            raise KeystoneError("Keystone has not been started")
        return self._serving

    def launch(self) -> None:
        """Start, and return once it answers; on the port it had, if it had one."""
        if self._server is not None:
            raise KeystoneError("Keystone is already running")
        self._folder.mkdir(exist_ok=True)
        options = [str(self._folder), f"--port={self._port}", *self._options]
        with self._log.open("ab") as log:
            self._server = self._stem.copy(options, self.password, log)
        self._serving = Serving(**json.loads(self._first_line(self._server)))
        self._port = urlsplit(self._serving.root).port or 0

    def halt(self) -> None:
        """End it at once, as a crash would; what it has answered is kept."""
        server, self._server = self._server, None
        if server is not None:
            server.end()

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

    def _first_line(self, server: Copy) -> bytes:
        if line := server.line():
            return line
        what = f"did not serve within {DEADLINE:.0f} s" if line is None else "ended before it served"
        self.halt()
        raise KeystoneError(f"Keystone {what}; the end of its log:\n{last(self._log.read_bytes())}")
