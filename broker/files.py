"""The token files of a running broker: each hears of its identity's lease, and all are told of in status and readiness.

A file has a task and threads of its own, so that none that hangs or fails touches another, nor the identity (L12).
"""

import asyncio
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from broker.core.degraded import Reason
from broker.core.lease import Lease
from broker.core.ports import Clock
from broker.keeper.keyring import Keyring
from broker.serving import moments
from broker.serving.answers import Json
from broker.settings import Settings
from broker.settings.files import File, identity_of
from broker.sinks.sink import Sink
from broker.sinks.token_file import TokenFile

_LOOK = 0.1  # seconds


class _Ending(NamedTuple):
    """A file that the settings name no more."""

    task: "asyncio.Task[None]"
    hurry: "asyncio.Future[None]"


class Files:
    """Belongs to one event loop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._sinks: dict[Path, Sink] = {}
        self._ending: dict[Path, _Ending] = {}

    def take_over(self, settings: Settings, keyring: Keyring) -> None:
        """From now on there are these files, of identities that run; those that are there no more are removed."""
        wanted = {file.path: file for file in token_files(settings)}
        for path in [path for path in self._sinks if path not in wanted]:
            self._end(path)
        for path, file in wanted.items():
            sink = self._sinks.get(path)
            if sink is None:
                sink = self._sinks[path] = Sink(file, self._clock)
                sink.start(self._hurried(path))
            elif sink.file != file:
                sink.change(file)
            sink.follow(keyring[file.identity].lease)

    def lease_changed(self, before: Lease, after: Lease, now: float) -> None:
        """An observer of leases, see `keeper.setting.Observer`."""
        del before, now
        for sink in self._of(after.identity):
            sink.follow(after)

    def tick(self, now: float) -> None:
        """Once a second."""
        for sink in self._sinks.values():
            sink.tick(now)

    def ailments(self, identity: str) -> Mapping[Reason, str]:
        """What is not in order with an identity's files, with its sentence."""
        troubles = [trouble for sink in self._of(identity) if (trouble := sink.trouble or sink.hook.trouble)]
        if not troubles:
            return {}
        more = f" (and {len(troubles) - 1} more, see `files`)" if len(troubles) > 1 else ""
        return {Reason.SINK_FAILED: f"{troubles[0]}{more}"}

    def shown(self, identity: str) -> list[Json]:
        """The state of an identity's files, for who may see that of the identity."""
        return [_shown(sink) for sink in self._of(identity)]

    async def aclose(self) -> None:
        """Stop, and remove the files that are not to be kept."""
        ending = [sink.end(remove=not sink.file.keep) for sink in self._sinks.values()]
        left = [task for path in tuple(self._ending) if (task := self._hurried(path)) is not None]
        await asyncio.gather(*ending, *left, return_exceptions=True)

    def _of(self, identity: str) -> Iterator[Sink]:
        return (sink for sink in self._sinks.values() if sink.file.identity == identity)

    def _end(self, path: Path) -> None:
        # It would hold its token past the end, whatever `keep` says: that is about the end of the broker.
        hurry: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(self._leave(self._sinks.pop(path), hurry))
        self._ending[path] = _Ending(task, hurry)
        task.add_done_callback(lambda _: self._ended(path, task))

    async def _leave(self, sink: Sink, hurry: "asyncio.Future[None]") -> None:
        """The removal may fail: it is tried again, until there is something else to do."""
        while sink.there is not None and not hurry.done():
            sink.drop()
            await self._clock.wait(hurry, self._clock.now() + _LOOK)
        await sink.end(remove=sink.there is not None)

    def _hurried(self, path: Path) -> "asyncio.Task[None] | None":
        """What ends at this path, within seconds from now on."""
        ending = self._ending.get(path)
        if ending is None:
            return None
        if not ending.hurry.done():
            ending.hurry.set_result(None)
        return ending.task

    def _ended(self, path: Path, task: "asyncio.Task[None]") -> None:
        if path in self._ending and self._ending[path].task is task:
            del self._ending[path]


def token_files(settings: Settings) -> Iterator[TokenFile]:
    """The files that the settings name, each with its identity."""
    for file in settings.files:
        identity = identity_of(file, settings.identities)
        if identity is not None:  # else it was told already
            yield _token_file(file, identity, settings.iam_of(identity).url)


def _token_file(file: File, identity: str, auth_url: str) -> TokenFile:
    return TokenFile(
        path=file.path,
        identity=identity,
        auth_url=auth_url,
        form=file.format,
        template=file.template,
        mode=file.mode,
        uid=None if file.owner is None else file.owner.number,
        gid=None if file.group is None else file.group.number,
        keep=file.keep,
        on_change=file.on_change or (),
        timeout=file.on_change_timeout,
    )


def _shown(sink: Sink) -> Json:
    there = sink.there
    written = None if there is None or there.seen is None else there.seen.written
    return {
        "path": str(sink.file.path),
        "state": sink.state,
        "written_at": None if written is None else moments.shown(datetime.fromtimestamp(written / 1e9, UTC)),
        "detail": sink.trouble,
        "on_change": _command(sink),
    }


def _command(sink: Sink) -> Json | None:
    """The last run of its command, None where it has none."""
    if not sink.file.on_change:
        return None
    last = sink.hook.last
    return {
        "running": sink.hook.running,
        "at": None if last is None else moments.shown(last.at),
        "exit_code": None if last is None else last.code,
        "detail": None if last is None else last.trouble,
    }
