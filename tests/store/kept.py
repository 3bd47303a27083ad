"""A broker's store that is started anew, on a clock that only a test moves."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from structlog.testing import capture_logs

from broker.core.budget import ISSUE_BURST, VALIDATION_BURST, Bucket
from broker.core.memory import Budgets, Memory
from broker.core.model import AccessKey, KeyById, KeyByName, Named, Reply, Token
from broker.core.secret import Secret
from broker.store.folder import Folder
from broker.store.sealed import SealedStore
from tests.core.builders import reply
from tests.fakes.clock import FakeClock

URL = "https://iam.example/identity/v3"
BOOT = "11111111-2222-4333-8444-555555555555"
NEXT_BOOT = "99999999-2222-4333-8444-555555555555"
FIRST = KeyById("key-1", Secret("canary-secret-of-the-first"))
SECOND = KeyByName("spare", "user-of-key-1", Secret("canary-secret-of-the-second"))
STRANGER = KeyById("key-1", Secret("another-secret"))
KEYS = (FIRST, SECOND)
TOKEN = "gAAAAAcanary-token"

# Every field differs from what it is when nobody says.
WHOLE = Token(
    value=Secret(TOKEN),
    digest=Secret(TOKEN).sha256(),
    issued_at="2026-01-01T00:00:00.000000Z",
    expires_at="2026-01-01T12:00:00.000000Z",
    user=Named("user-of-key-1", "robot"),
    project=Named("p1", "가게"),
    roles=(Named("r1", "member"), Named("r2", "reader")),
    key_expires_at="2026-02-01T00:00:00.000000",
    body=b'{"token": {}}\xff\x00',
    key_id="a1",
    restricted=False,
    access_rules=True,
)
MEMORY = Memory(
    reply=Reply(WHOLE, lifetime=43200.0, sent_at=990.25, date=None),
    key="key-1",
    evidence={"key-1": frozenset({"self", "projects"}), "user-of-key-1/spare": frozenset()},
    rejected=("0" * 64, "1" * 64),
)


@dataclass
class House:
    """One folder, and what each start of a broker finds in it."""

    folder: Folder
    clock: FakeClock = field(default_factory=FakeClock)
    boot: str | None = BOOT

    def store(self, identity: str = "shop", url: str = URL) -> SealedStore:
        """The store as a fresh start has it."""
        return SealedStore(self.folder, identity, url, self.clock, self.boot)

    @property
    def sealed(self) -> Path:
        return self.folder.path / "shop.sealed"

    @property
    def budget(self) -> Path:
        return self.folder.path / "shop.budget"

    async def saves(self, memory: Memory = MEMORY, keys: tuple[AccessKey, ...] = KEYS) -> None:
        await self.store().save(memory, keys)

    async def finds(self, *keys: AccessKey, **where: str) -> tuple[Memory | None, list[dict[str, Any]]]:
        """What the next start loads, and what it tells of it."""
        with capture_logs() as told:
            memory = await self.store(**where).load(keys or KEYS)
        return memory, [dict(line) for line in told]

    async def finds_nothing(self, *keys: AccessKey, **where: str) -> str:
        """The reason that is told, once."""
        memory, told = await self.finds(*keys, **where)
        assert memory is None
        [line] = told
        assert (line["event"], line["log_level"]) == ("cache_ignored", "warning")
        assert line["identity"] == where.get("identity", "shop")
        return str(line["reason"])

    def reboots(self, after: float) -> None:
        """The boot clock starts anew, and the wall clock has gone on by so many seconds."""
        wall = self.clock.wall().timestamp() + after
        self.boot, self.clock.at = NEXT_BOOT, 5.0
        self.set_wall(wall)

    def set_wall(self, to: float) -> None:
        """Somebody, or the start of the machine, sets the wall clock."""
        self.clock.wall_step += type(self.clock.wall_step)(seconds=to - self.clock.wall().timestamp())


def small(name: str = "token-1") -> Memory:
    """A memory of little but a token."""
    return Memory(reply=reply(name, sent_at=900.0), key="key-1")


@contextlib.contextmanager
def blocked(folder: Path) -> Iterator[None]:
    """Nothing can be written into the folder, not even by root: a file stands in its place."""
    aside = folder.with_name("aside")
    folder.rename(aside)
    folder.touch()
    try:
        yield
    finally:
        folder.unlink()
        aside.rename(folder)


def scant(at: float) -> Budgets:
    """What allows one request of each kind."""
    return Budgets(Bucket(ISSUE_BURST, 1.0, at), Bucket(VALIDATION_BURST, 1.0, at))


class Hanging(Folder):
    """A folder on a disk that hangs until it is let go."""

    begun: threading.Event
    free: threading.Event
    written: threading.Semaphore

    def __init__(self, folder: Folder) -> None:
        super().__init__(folder.path)
        # A frozen value may have what a test needs beside its fields.
        object.__setattr__(self, "begun", threading.Event())
        object.__setattr__(self, "free", threading.Event())
        object.__setattr__(self, "written", threading.Semaphore(0))

    def _hang(self) -> None:
        self.begun.set()
        assert self.free.wait(30)

    async def hangs(self) -> None:
        """Return when somebody is at the disk."""
        assert await asyncio.to_thread(self.begun.wait, 30)

    async def has_written(self, times: int) -> None:
        """Return when so many writes have ended."""
        for _ in range(times):
            assert await asyncio.to_thread(self.written.acquire, timeout=30)

    def write(self, name: str, content: bytes) -> None:
        self._hang()
        super().write(name, content)
        self.written.release()

    def read(self, name: str, largest: int) -> bytes | None:
        self._hang()
        return super().read(name, largest)
