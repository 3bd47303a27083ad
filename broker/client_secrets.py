"""The client secrets of the identities that run: held for the Keystone facade, and replaced when their files change.

- A file is looked at every few seconds, as a key's is, in a thread and by its content: it may be renamed into place, or a
  link on its path be switched.
- A file that cannot be used leaves the secret that was read last in force: it may be in the middle of being written.
- Each identity has a look of its own, so that a disk that hangs delays nobody else's (L12).
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import structlog

from broker.core import client_secret
from broker.core.client_secret import GRACE, ClientSecret
from broker.core.errors import ConfigError, Problem
from broker.core.ports import Clock
from broker.core.secret import Secret
from broker.identity.client_secret import read
from broker.keeper.tending import LOOK_EVERY
from broker.serving.moments import shown
from broker.settings import Settings

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Written:
    """A client secret as a file gave it."""

    path: Path
    secret: Secret


Found = dict[str, Written | None]  # by identity; None: it is to have none


class ClientSecrets:
    """Those of all identities. Belongs to one event loop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._doors: dict[str, _Door] = {}
        self._look_at = float("-inf")

    def accepts(self, identity: str, given: Secret, now: float) -> bool:
        """Whether a client may present this for the identity; for one that does not run, nothing will do."""
        door = self._doors.get(identity)
        return door is not None and client_secret.accepts(door.held, given, now)

    def wanted(self, identity: str) -> bool:
        """Whether a client of the identity has to know one."""
        door = self._doors.get(identity)
        return door is None or door.held is not None

    def take_over(self, found: Found) -> None:
        """From now on these hold, for identities that are new too; a secret that was replaced has its grace."""
        for identity, written in found.items():
            self._doors.setdefault(identity, _Door(identity, self._clock)).take_over(written)

    async def drop(self, identity: str) -> None:
        """The identity runs no longer, or never came to run."""
        door = self._doors.pop(identity, None)
        if door is not None:
            await door.aclose()

    def tick(self, now: float) -> None:
        """Once a second."""
        if now >= self._look_at:
            self._look_at = now + LOOK_EVERY
            self.look()

    def look(self) -> None:
        """Look at all files now, in the background."""
        for door in self._doors.values():
            door.look()


class _Door:
    """One identity's secret, or that it has none."""

    def __init__(self, identity: str, clock: Clock) -> None:
        self.held: ClientSecret | None = None
        self._identity = identity
        self._clock = clock
        self._path: Path | None = None
        self._told: str | None = None  # the problem of now, told once
        self._looking: asyncio.Task[None] | None = None

    def take_over(self, written: Written | None) -> None:
        """This is the secret; one that takes the place of another is told."""
        self._told = None
        if written is None:
            self._path = self.held = None
            return
        self._path, before = written.path, self.held
        if before is None:
            self.held = ClientSecret.of(written.secret)
            return
        self.held = before.replaced(written.secret, self._clock.now())
        if self.held is not before:
            until = shown(self._clock.wall() + timedelta(seconds=GRACE))
            _log.info("client_secret_changed", identity=self._identity, former_until=until)

    def look(self) -> None:
        """Look at the file, in the background."""
        if self._path is not None and self._looking is None:
            self._looking = asyncio.create_task(self._look(self._path))

    async def aclose(self) -> None:
        """End what is under way and wait for its end."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    async def _look(self, path: Path) -> None:
        try:
            written = Written(path, await asyncio.to_thread(read, path))
            if path == self._path:  # else a reload has named another
                self.take_over(written)
        except ConfigError as error:
            if path == self._path:
                self._tell(str(error))
        except Exception:  # noqa: BLE001
            # A defect in a look leaves the secret as it is; the next tick looks again.
            _log.exception("client_secret_defect", identity=self._identity)
        finally:
            self._looking = None

    def _tell(self, problem: str) -> None:
        """Once, until the file can be used again or something else is wrong with it."""
        if problem != self._told:
            self._told = problem
            _log.warning(
                "client_secret_unreadable", identity=self._identity, problem=problem,
                detail="the secret that was read before stays in force",
            )  # fmt: skip


def client_secrets_of(settings: Settings, names: Iterable[str]) -> tuple[Found, list[Problem]]:
    """The client secrets of these identities, and what is wrong with their files; blocks on the disk."""
    found: Found = {}
    problems: list[Problem] = []
    for name in names:
        path = settings.identities[name].client_secret_file
        try:
            found[name] = None if path is None else Written(path, read(path))
        except ConfigError as error:
            problems += error.problems
    return found, problems
