"""One `broker run` as a process: started in a folder of its own, waited for, watched, and ended in good order.

- It is up when its socket answers `/livez`; tokens may come later, or never.
- Leaving the context ends it by SIGTERM and asks: exit code 0, no traceback, no socket file left, and no secret in its
  output, its arguments or its environment. A test that ends it otherwise says so by `ended`.
- Its settings are a file, or by `by_variables` the environment alone; port 0 of a listener is any that is free.
- Nothing here waits without a deadline, and every failure shows the tail of the log.
"""

import asyncio
import contextlib
import json
import random
import signal
import socket
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any, Self

import aiohttp

from tests.e2e.client import Client, client_of
from tests.e2e.command import BROKER, ROOT, environment
from tests.e2e.spoken import SPOKEN
from tests.e2e.waiting import until

UP = 30.0  # seconds; it takes about one, several on a busy machine
TOLD = 1.0  # seconds after it answers
DOWN = 20.0  # more than the drain's own bound
PREFIX = "KAKAOCLOUD_BROKER_"
TAIL = 25  # lines of the log that explain a failure

Table = Mapping[str, object]


class Daemon:
    """A broker; `client` asks it over its socket."""

    client: Client

    def __init__(
        self,
        folder: Path,
        *,
        iam: Table,
        identities: Mapping[str, Table] | None = None,
        own: Mapping[str, str] | None = None,
        drain: float = 10.0,
        listen: Sequence[Table] = (),
        grants: Sequence[Table] = (),
        files: Sequence[Table] = (),
        validation: Table | None = None,
        cache: Table | None = None,
        audit: str = "stdout",
        by_variables: bool = False,
        prefix: Sequence[str] = (),
        command: Sequence[str] = BROKER,
    ) -> None:
        """The tables are those of the settings, `listen` beside the socket; `own` is its environment beside what all have.

        `prefix` is a command that becomes the broker, as `nsenter` does; `command` is the broker's.
        """
        folder.mkdir(mode=0o755, exist_ok=True)
        self.socket = folder / "b.sock"
        self.config = folder / "broker.toml"
        self._folder = folder
        self._own = own
        self._child: asyncio.subprocess.Process | None = None
        self._stack = AsyncExitStack()
        self._command = [*prefix, *command, "run"]
        tables: dict[str, Table] = {
            "iam": iam,
            "log": {"level": "debug", "audit": audit},
            "serving": {"drain": drain},
            "validation": validation or {},
            "cache": cache or {"path": str(folder / "cache")},
        }
        lists = {"listen": [{"unix": str(self.socket)}, *listen], "grants": grants, "files": files}
        if by_variables:
            self._own = {**_variables(tables, {**lists, "identities": identities}), **(own or {})}
            return
        lines = [line for name, table in tables.items() for line in in_toml(f"[{name}]", table)]
        lines += [
            line for name, each in lists.items() for table in each for line in in_toml(f"[[{name}]]", table)
        ]
        for name, identity in (identities or {}).items():
            lines += in_toml(f"[identities.{name}]", identity)
        self.config.write_text("\n".join(lines))
        self._command += ["--config", str(self.config)]

    @property
    def variables(self) -> dict[str, str]:
        """Its environment beside what all have."""
        return dict(self._own or {})

    @property
    def pid(self) -> int:
        assert self._child is not None
        return self._child.pid

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.returncode is None

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self._child is not None
        self._child.send_signal(number)

    async def ended(self) -> int:
        """Wait for its end; the exit code, negative for a signal."""
        assert self._child is not None
        try:
            code = await asyncio.wait_for(self._child.wait(), DOWN)
        except TimeoutError:
            self._child.kill()
            await self._child.wait()
            raise AssertionError(f"it did not end within {DOWN:.0f} s\n{self.tail}") from None
        self._judge_output()
        return code

    @property
    def log(self) -> str:
        """What it wrote to stderr so far."""
        return (self._folder / "stderr").read_text(errors="replace")

    @property
    def tail(self) -> str:
        """The end of that, for an error."""
        return "the end of its log:\n" + "\n".join(self.log.splitlines()[-TAIL:])

    def events(self, name: str) -> list[dict[str, Any]]:
        """What it logged under this name."""
        found = [json.loads(line) for line in self.log.splitlines() if f'"{name}"' in line]
        return [event for event in found if event["event"] == name]

    @property
    def tcp(self) -> list[str]:
        """The addresses that it listens at, once it is up, in the order of the settings."""
        return [where for where in self.events("serving")[-1]["listeners"] if not where.startswith("/")]

    async def start(self) -> None:
        """Start it and wait until it answers, and has told where; its log goes on where an earlier start left it."""
        before = len(self.log) if (self._folder / "stderr").exists() else 0
        with (self._folder / "stdout").open("ab") as out, (self._folder / "stderr").open("ab") as err:
            self._child = await asyncio.create_subprocess_exec(
                *self._command,
                cwd=ROOT,
                env=environment(self._own),
                stdout=out,
                stderr=err,
            )
        self.client = await self._stack.enter_async_context(client_of(self.socket))
        try:
            await until(self._alive, UP, "the broker answers /livez")
        except BaseException:
            await self._kill()
            raise
        with contextlib.suppress(AssertionError):  # at some levels of the log it does not tell
            await until(partial(self._told, before), TOLD, "it tells where it listens")
        self._judge_process()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, _traceback: object) -> None:
        async with self._stack:
            if error is not None:
                await self._kill()
                error.add_note(self.tail)
                return
            if not self.running:
                return
            self._judge_process()
            self.send(signal.SIGTERM)
            code = await self.ended()
            assert code == 0, f"it ended with {code}\n{self.tail}"
            assert not self.socket.exists(), "it left its socket behind"

    async def _kill(self) -> None:
        await self._stack.aclose()
        if self._child is not None and self.running:
            self._child.kill()
            await self._child.wait()

    async def _told(self, before: int) -> bool:
        return "serving" in self.log[before:]

    async def _alive(self) -> bool:
        assert self.running, f"it ended at start\n{self.tail}"
        try:
            return (await self.client.get("/livez")).status == 200
        except aiohttp.ClientConnectorError:
            return False  # not listening yet

    def _judge_output(self) -> None:
        assert "Traceback" not in self.log, self.tail
        SPOKEN.said("the log of broker run", self.log)
        SPOKEN.said("stdout of broker run", (self._folder / "stdout").read_text(errors="replace"))

    def _judge_process(self) -> None:
        """What any process of this host may read of it."""
        for name in ("cmdline", "environ"):
            try:
                text = Path(f"/proc/{self.pid}/{name}").read_bytes().decode(errors="replace")
            except PermissionError:
                continue  # better still: not even this user may look
            SPOKEN.said(f"/proc/PID/{name} of broker run", text)


def in_toml(head: str, table: Table) -> Sequence[str]:
    """A table as TOML; JSON writes texts, numbers, truths and lists of texts alike."""
    return [head, *(f"{name} = {json.dumps(value)}" for name, value in table.items()), ""]


def _variables(tables: Mapping[str, Table], lists: Mapping[str, object]) -> dict[str, str]:
    """The same as the environment gives it."""
    scalars = {
        f"{PREFIX}{name}__{key}".upper(): str(value)
        for name, table in tables.items()
        for key, value in table.items()
    }
    return scalars | {f"{PREFIX}{name}".upper(): json.dumps(value) for name, value in lists.items() if value}


def free_port() -> int:
    """A port of loopback that nobody has now; for settings that want a number.

    Below those that the kernel gives away: one of them could be another test's before the broker takes it.
    """
    while True:
        port = random.randrange(15_000, 32_000)  # noqa: S311  (no secret)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
