"""SIGHUP: the settings are read again, and what can be taken over while the broker runs is.

All or nothing: a file that cannot be used changes nothing. Connections and tokens stay as they are.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

import structlog

from broker.client_secrets import client_secrets_of
from broker.core.access import Owner, Policy, Verdict, Workload
from broker.core.errors import ConfigError
from broker.files import Files
from broker.identity.sources import Sources
from broker.observability import logs
from broker.roster import Places, Roster, places_of
from broker.settings import Settings
from broker.settings.changes import Changes, compare, taken_over

_log = structlog.get_logger()


class LivePolicy:
    """Who may do what, by the settings of now."""

    def __init__(self, policy: Policy) -> None:
        self.now = policy

    def may_read(self, workload: Workload, identity: str) -> Verdict:
        """Whether this workload may have the identity's token."""
        return self.now.may_read(workload, identity)

    def may_view(self, workload: Workload, identity: str) -> Verdict:
        """Whether this workload may see the identity's state."""
        return self.now.may_view(workload, identity)

    def reads_anything(self, workload: Workload) -> bool:
        """Whether there may be an identity whose token it gets."""
        return self.now.reads_anything(workload)


class Around(Protocol):
    """Hears when a reload begins and has ended, whatever came of it."""

    def reloading(self) -> None: ...
    def reloaded(self, now: float, *, refused: bool) -> None: ...


class Reloading:
    """Takes new settings over, one reload at a time; asked meanwhile, it does one more. Belongs to one event loop."""

    def __init__(
        self, settings: Settings, load: Callable[[], Settings], sources: Sources, roster: Roster, policy: LivePolicy,
        owner: Owner, rules_changed: Callable[[], None], files: Files, around: Around,
    ) -> None:  # fmt: skip
        """`load` reads the settings anew; it may block, and raises ConfigError. `rules_changed` is told once they hold."""
        self._around = around
        self.settings = settings
        self._load = load
        self._sources = sources
        self._roster = roster
        self._policy = policy
        self._owner = owner
        self._rules_changed = rules_changed
        self._files = files
        self._task: asyncio.Task[None] | None = None
        self._again = False

    def ask(self) -> None:
        """A reload is wanted."""
        self._again = True
        if self._task is None:
            self._task = asyncio.create_task(self._run())

    async def aclose(self) -> None:
        """End what is under way and wait for its end."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        try:
            while self._again:
                self._again = False
                self._around.reloading()
                refused = not await self._reload()
                self._around.reloaded(self._roster.clock.now(), refused=refused)
        finally:
            self._task = None

    async def _reload(self) -> bool:
        """Whether the new settings are in force."""
        try:
            await self._take_over(await asyncio.to_thread(self._load))
        except ConfigError as error:
            problems = [str(problem) for problem in error.problems]
            _log.error("reload_refused", problems=problems, detail="the settings of before hold on")
        except Exception:  # noqa: BLE001
            # A defect in a reload must not cost the broker.
            _log.exception("reload_defect")
        else:
            return True
        return False

    async def _take_over(self, new: Settings) -> None:
        changes, taken = compare(self.settings, new), taken_over(self.settings, new)
        names = (*changes.added, *changes.rekeyed)
        entering = (*changes.added, *changes.client_secrets)
        secrets, unread = await asyncio.to_thread(client_secrets_of, taken, entering)
        found, doubts = await asyncio.to_thread(places_of, taken, self._sources, names, unread)
        for problem in doubts:
            _log.warning(
                "key_unreadable", problem=str(problem), detail="the identity works with its other key"
            )
        await self._roster.add(
            taken,
            {name: found[name] for name in changes.added},
            {name: secrets[name] for name in changes.added},
        )
        # From here on nothing can fail, so that no half of new settings is ever in force.
        self._policy.now = taken.policy(self._owner)
        for name in changes.removed:
            self._roster.dismiss(name)
        self._rules_changed()
        self._rekey(changes, found)
        self._roster.client_secrets.take_over({name: secrets[name] for name in changes.client_secrets})
        self.settings = taken
        self._files.take_over(taken, self._roster.keyring)
        if changes.log_level:
            logs.set_level(taken.log.level)
        for name in changes.removed:
            await self._roster.end(name)
        self._roster.keyring.look_at_keys()
        self._roster.client_secrets.look()
        self._roster.keyring.observe()
        self._tell(changes)

    def _rekey(self, changes: Changes, found: Places) -> None:
        for name in changes.rekeyed:
            self._roster.keyring[name].rekey(found[name])

    def _tell(self, changes: Changes) -> None:
        _log.info(
            "reloaded",
            added=changes.added,
            removed=changes.removed,
            rekeyed=changes.rekeyed,
            client_secrets=changes.client_secrets,
            grants=changes.grants,
            files=changes.files,
            log_level=self.settings.log.level if changes.log_level else None,
        )
        if changes.needs_restart:
            _log.warning(
                "reload_needs_restart",
                settings=changes.needs_restart,
                detail="these are as they were until the broker is restarted",
            )
