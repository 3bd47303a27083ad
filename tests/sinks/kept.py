"""A token file whose lease and clock a test holds in its hands; the disk, the threads and the commands are real."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from broker.core.lease import Lease, State
from broker.core.model import Held
from broker.sinks.command import Ended
from broker.sinks.hook import Hook
from broker.sinks.sink import Sink
from broker.sinks.token_file import TokenFile
from tests.core.builders import fresh, held
from tests.fakes.clock import FakeClock, settle

URL = "https://iam.example/identity/v3"


def token_file(path: Path, **more: object) -> TokenFile:
    return replace(TokenFile(path, "default", URL), **more)  # type: ignore[arg-type]


async def until(condition: Callable[[], object]) -> None:
    """Let the loop turn until something has come about in a thread."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  (what is watched knows nothing of events)
            await asyncio.sleep(0.001)
    await settle()


@dataclass
class Runs:
    """Commands that are remembered in place of being run."""

    files: list[TokenFile] = field(default_factory=list)
    code: int = 0

    def __call__(self, file: TokenFile, stop: threading.Event) -> Ended:
        del stop
        self.files.append(file)
        return Ended(self.code, b"", whole=True, seconds=0.0, trouble="it failed" if self.code else None)


@dataclass
class Kept:
    sink: Sink
    clock: FakeClock
    runs: Runs
    lease: Lease = field(default_factory=lambda: fresh("key-1"))

    @property
    def path(self) -> Path:
        return self.sink.file.path

    def content(self) -> str | None:
        try:
            return self.path.read_text()
        except FileNotFoundError:
            return None

    def become(self, token: Held | None, *dead: str) -> None:
        """The lease holds this from now on; `dead` are digests of tokens that were found dead."""
        self.lease = replace(
            self.lease,
            state=State.EMPTY if token is None else State.HELD,
            held=token,
            rejected=(*self.lease.rejected, *dead),
        )
        self.sink.follow(self.lease)

    def gets(self, name: str, life: float = 43200.0) -> Held:
        """The lease gets a new token."""
        token = held(name, sent_at=self.clock.now(), life=life)
        self.become(token)
        return token

    async def holds(self, content: str | None) -> None:
        """Wait until the file has this content, or is not there."""
        await until(lambda: self.content() == content and not self.busy)

    async def fails(self, words: str) -> None:
        """Wait until it is told that this is wrong."""
        await until(lambda: words in (self.sink.trouble or ""))

    @property
    def busy(self) -> bool:
        """Whether a thread is at work."""
        return any(thread.name == "token file" for thread in threading.enumerate())


@asynccontextmanager
async def kept(file: TokenFile, *, keep_after: bool = False, real: bool = False) -> AsyncIterator[Kept]:
    """A sink that works; with `real`, commands are run."""
    clock, runs = FakeClock(), Runs()
    hook = None if real else Hook(clock, lambda text: text, runs)
    sink = Sink(file, clock, hook)
    sink.start()
    try:
        yield Kept(sink, clock, runs)
    finally:
        await sink.end(remove=not keep_after)


def leftovers(folder: Path) -> list[str]:
    """What a write that has not ended leaves."""
    return [path.name for path in folder.iterdir() if path.name.endswith(".broker-new")]
