"""Keeps one token file as it should be: it holds the token of now, an earlier one that is still good, or nothing.

- A token leaves the file before its end, and as soon as it is known to be dead: replaced, or else removed.
- Where a new one cannot be written the earlier one stays for as long as it is good, and it is tried again.
- What lies there at start is not believed: it is removed or replaced, unless it is what would be written now.
- One piece of work at a time, in a thread, and what is wanted by then counts. One that takes too long is told of and
  waited for, for it cannot be stopped, unless it only reads and a token must go; it puts nothing in place that is not wanted any more.
"""

import asyncio
import threading
from dataclasses import replace
from functools import partial

import structlog

from broker.core.lease import Lease
from broker.core.model import Held
from broker.core.ports import Clock
from broker.sinks import work
from broker.sinks.attempts import Troubles
from broker.sinks.disk import Abandoned
from broker.sinks.flight import NEVER, Flights, Left, News
from broker.sinks.hook import Hook
from broker.sinks.mask import Mask
from broker.sinks.token_file import SinkError, TokenFile
from broker.sinks.trouble import Emptied, late, unremoved, unwritten
from broker.sinks.work import There, gone_by, outdated

_log = structlog.get_logger()

LOOK_EVERY = 10.0  # seconds until it is seen that somebody has removed or changed the file, or its template
ENDING = 2.0  # seconds for a disk at the end


class Sink:
    """Keeps one file. Belongs to one event loop."""

    def __init__(self, file: TokenFile, clock: Clock, hook: Hook | None = None) -> None:
        self.file = file
        self.there: There | None = There()
        self._mask = Mask()
        self.hook = hook or Hook(clock, self._mask)
        self._clock = clock
        self._held: Held | None = None
        self._rejected: tuple[str, ...] = ()
        self._troubles = Troubles()
        self._look_at = NEVER
        self._unclean = True  # what a killed broker has left may still be there
        self._unhooked = True  # the command has not yet been run for what is there
        self._ended = False
        self._task: asyncio.Task[None] | None = None
        self._news = News(clock)
        self._flights = Flights(clock, self._news, self._is_late)

    @property
    def trouble(self) -> str | None:
        """What is wrong with the file, as one sentence with the remedy."""
        return self._troubles.now

    @property
    def state(self) -> str:
        """One word for what it holds: `current`, an `older` token that is still good, `absent`, or `unknown`."""
        if self.there is None:
            return "absent"
        if self.there.digest is None:
            return "unknown"
        return "current" if self._is_current() else "older"

    def start(self, after: "asyncio.Future[None] | None" = None) -> None:
        """Begin once `after` is done: what was before at this path has to be over."""
        self._task = asyncio.create_task(self._work(after))

    def follow(self, kept: Lease) -> None:
        """This is the lease whose token the file holds."""
        self._rejected = kept.rejected
        self._judge()
        if kept.held is not self._held:
            self._held = kept.held
            self._mask.remember(kept.held)
            self._troubles.writing.anew()
        self._news.tell()

    def change(self, file: TokenFile) -> None:
        """The settings say something else of it."""
        if file.on_change != self.file.on_change:
            self.hook.forget()
            self._unhooked = True
        if self.there is not None:
            self.there = outdated(self.there, self.file, file)
        self.file, self._unclean = file, True
        self._troubles.writing.anew()
        self._news.tell()

    def drop(self) -> None:
        """It is to hold no token; to be said until `there` is None, for one may just be coming."""
        self._held = None
        if self.there is not None and self.there.digest is not None:
            self.there = There(seen=self.there.seen, unknown="the settings name it no more")
        self._news.tell()

    def tick(self, now: float) -> None:
        """Once a second: after a sleep of the machine no timer is in time."""
        if now >= self._due(now):
            self._news.tell()

    async def end(self, *, remove: bool) -> None:
        """Stop, and have no token there if `remove` says so; a disk that hangs is not waited for."""
        self._ended = True
        self._news.tell()
        if self._task is not None:
            await self._clock.wait(self._task, self._clock.now() + ENDING)
            hangs = not self._task.done()
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            if hangs:  # as would the removal
                remove = False
                self._troubles.late = late(self.file, ENDING)
        await self.hook.aclose()
        if remove and self.there is not None:
            await self._remove("the end of the file, or of the broker", self._clock.now() + ENDING)
        self._troubles.tell(self.file)

    async def _work(self, after: "asyncio.Future[None] | None") -> None:
        if after is not None:
            await self._clock.wait(after, NEVER)
        while not self._ended:
            try:
                await self._turn()
            except Abandoned:
                pass
            except Exception:  # noqa: BLE001
                # A defect must not cost the file for good, nor any other file.
                self._troubles.defect(self.file, self._clock.now())
            self._troubles.tell(self.file)

    async def _turn(self) -> None:
        now, there = self._clock.now(), self.there
        wanted = self._wanted(now)
        if wanted is not None and now >= self._troubles.writing.until:
            await self._put(wanted)
        elif there is not None and now >= max(there.gone_by, self._troubles.removing.until):
            await self._remove(there.doom, NEVER)
        elif there is not None and now >= max(self._look_at, self._troubles.looking.until):
            await self._look(there)
        else:
            await self._news.wait(self._due(now))

    def _due(self, now: float) -> float:
        """When there is something to do without any news."""
        moments = [NEVER]
        if self._wanted(now) is not None:
            moments.append(self._troubles.writing.until)
        if self.there is not None:
            moments.append(max(self.there.gone_by, self._troubles.removing.until))
            moments.append(max(self._look_at, self._troubles.looking.until))
        return min(moments)

    def _wanted(self, now: float) -> Held | None:
        """The token that is to be written."""
        held, there = self._held, self.there
        if held is None or now >= gone_by(held):
            return None
        return None if there is not None and there.right and self._is_current() else held

    def _is_current(self) -> bool:
        held, there = self._held, self.there
        return held is not None and there is not None and there.digest == held.token.digest

    async def _put(self, wanted: Held) -> None:
        file, given_up = self.file, threading.Event()

        def is_wanted() -> bool:
            return not given_up.is_set() and self._clock.now() < gone_by(wanted)

        def watch() -> None:
            if self._ended or self.file is not file or self._held is not wanted:
                given_up.set()

        known = None if self.there is None else self.there.seen
        try:
            new = await self._flights.read(partial(work.made, file, wanted), self._waits)
            write = partial(work.write, file, wanted, known, is_wanted, new=new, clean=self._unclean)
            written = await self._flights.flown(write, watch)
        except (Left, SinkError, OSError) as error:
            self._troubles.writing.failed(self._clock.now(), unwritten(file, error))
            return
        self._settled(written.there if self.file is file else outdated(written.there, file, self.file))
        if written.changed:
            told = {
                "identity": file.identity,
                "path": str(file.path),
                "token_sha256": wanted.token.digest[:12],
            }
            _log.info("file_written", **told)
        if written.changed or self._unhooked:
            self._unhooked = False
            self.hook.ask(file)

    async def _remove(self, why: str, until: float) -> None:
        file, known = self.file, None if self.there is None else self.there.seen
        try:
            job = partial(work.remove, file, known, clean=self._unclean)
            was_there = await self._flights.flown(job, lambda: None, until)
        except Left:
            self._troubles.late = late(file, ENDING)
            return
        except OSError as error:
            if isinstance(error, Emptied):
                self.there = None
            self._troubles.removing.failed(self._clock.now(), unremoved(file, error))
            return
        self._settled(None)
        if was_there:
            _log.info("file_removed", identity=file.identity, path=str(file.path), because=why)

    async def _look(self, there: There) -> None:
        self._look_at = self._clock.now() + LOOK_EVERY
        try:
            now_there = await self._flights.read(partial(work.looked, self.file, there), self._waits)
        except (Left, OSError) as error:
            self._troubles.looking.failed(self._clock.now(), unwritten(self.file, error))
            return
        self._troubles.looking.anew()
        if self.there is there:  # else it is to be written or removed in any case
            self.there = now_there

    def _waits(self, late_at: float) -> None:
        """For what only reads, unless it hangs and what is there must go: a template may lie on another disk."""
        if self._ended:
            raise Abandoned
        if self.there is not None and self._clock.now() >= max(late_at, self.there.gone_by):
            raise Left

    def _is_late(self, seconds: float | None) -> None:
        self._troubles.late = None if seconds is None else late(self.file, seconds)
        if seconds is not None:
            self._troubles.tell(self.file)

    def _settled(self, there: There | None) -> None:
        """What was wanted is done."""
        self._troubles.settled(written=there is not None)
        self.there, self._unclean = there, False
        self._look_at = self._clock.now() + LOOK_EVERY
        self._judge()

    def _judge(self) -> None:
        """A token that is known to be dead must go, also where that became known while it was being written."""
        if self.there is not None and self.there.digest in self._rejected:
            self.there = replace(self.there, gone_by=-NEVER)
