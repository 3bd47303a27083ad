"""The runs of one file's command: one at a time, behind the writer's back, and once more where the file changed meanwhile."""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import structlog

from broker.core.ports import Clock
from broker.sinks import command
from broker.sinks.command import Ended
from broker.sinks.threads import in_thread
from broker.sinks.token_file import TokenFile

_log = structlog.get_logger()

# A run that is under way when the broker ends has so many seconds to come to its own end.
PATIENCE = 2.0
_SHOWN = 1024  # characters of what a command said

Run = Callable[[TokenFile, threading.Event], Ended]
Clean = Callable[[str], str]  # takes out of a text what must not be in the log


@dataclass(frozen=True, slots=True)
class Ran:
    """The last run, for who looks."""

    at: datetime
    code: int | None
    trouble: str | None


class Hook:
    """Belongs to one event loop."""

    def __init__(self, clock: Clock, clean: Clean, run: Run = command.run) -> None:
        self.last: Ran | None = None
        self._clock = clock
        self._clean = clean
        self._run = run
        self._asked: TokenFile | None = None
        self._task: asyncio.Task[None] | None = None
        self._stop = threading.Event()

    @property
    def running(self) -> bool:
        """Whether a run is under way."""
        return self._task is not None

    @property
    def trouble(self) -> str | None:
        """Why the last run did not do what it is for."""
        return None if self.last is None else self.last.trouble

    def ask(self, file: TokenFile) -> None:
        """This file has changed: run its command, after the one that runs now."""
        if not file.on_change or self._stop.is_set():
            return
        self._asked = file
        if self._task is None:
            self._task = asyncio.create_task(self._work())

    def forget(self) -> None:
        """There is another command now, or none."""
        self.last = self._asked = None

    async def aclose(self) -> None:
        """Let what runs come to its end, for a while; nothing is run any more."""
        self._asked = None
        task = self._task
        if task is not None:
            await self._clock.wait(task, self._clock.now() + PATIENCE)
        self._stop.set()
        if task is not None:
            await self._clock.wait(task, self._clock.now() + PATIENCE)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _work(self) -> None:
        try:
            while (file := self._asked) is not None:
                self._asked = None
                ended = await in_thread(partial(self._run, file, self._stop), "on_change")
                self.last = Ran(self._clock.wall(), ended.code, ended.trouble)
                self._tell(file, ended)
        except Exception:  # noqa: BLE001
            # A defect in a run must not cost the file, nor the next run.
            _log.exception("on_change_defect")
        finally:
            self._task = None

    def _tell(self, file: TokenFile, ended: Ended) -> None:
        log = _log.bind(identity=file.identity, path=str(file.path), seconds=round(ended.seconds, 1))
        if ended.trouble is None:
            log.info("on_change_done")
        else:
            log.warning("on_change_failed", detail=ended.trouble, said=self._shown(ended))

    def _shown(self, ended: Ended) -> str:
        text = ended.said.decode(errors="replace")
        if not ended.whole:  # its last word may be half a token
            text = text.rpartition("\n")[0]
        text = "".join(letter if letter.isprintable() or letter == "\n" else "?" for letter in text)
        return self._clean(text)[:_SHOWN]
