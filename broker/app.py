"""The composition root: settings in, running daemon out; up in order, down in reverse.

`running` is the whole broker without signals, so that tests and the demo start the very thing that `run` starts.
"""

import asyncio
import os
import random
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial

import structlog

from broker import __version__
from broker.auditing import Auditing, open_audit
from broker.callers.container import in_container
from broker.client_secrets import Found, client_secrets_of
from broker.clock import BootClock
from broker.core import timing
from broker.core.access import Owner
from broker.core.degraded import Reason
from broker.core.ports import Clock
from broker.files import Files
from broker.identity.sources import Sources
from broker.keeper import tending
from broker.keeper.keyring import Keyring
from broker.keeper.setting import Allowance, Setting, Validation
from broker.keeper.ticker import ticking
from broker.last_words import leave
from broker.observability.journal import Journal
from broker.observability.metrics import Metrics, Reading
from broker.observability.refusals import Refusals
from broker.openings import openings
from broker.reloading import LivePolicy, Reloading
from broker.roster import Places, Roster, places_of
from broker.serving import answers
from broker.serving.allowed import Allowed
from broker.serving.application import application
from broker.serving.context import Desk
from broker.serving.crowd import Crowd, places
from broker.serving.drain import Drain
from broker.serving.site import serving
from broker.settings import Settings
from broker.stores import Stores, open_stores
from broker.summary import ending, summary
from broker.systemd.handed import NOTHING, Handed
from broker.systemd.told import Told
from broker.tick import Tick

_log = structlog.get_logger()

# Name look-ups and key files block threads, and one that hangs keeps its thread: others must still find one (L12).
_THREADS = 64
# The part of the drain for which callers may go on waiting; in the rest they are answered.
_WAITERS_SHARE = 0.9
# Seconds for what is closed after it: connections, files, the cache.
_AFTER_THE_DRAIN = 10.0


@dataclass(frozen=True, slots=True)
class Broker:
    """A running broker."""

    desk: Desk
    addresses: tuple[str, ...]  # where it listens, as it turned out
    reloading: Reloading
    told: Told

    async def finish(self, seconds: float) -> bool:
        """Turn readiness off and wait for what is in flight; False when that took longer than so many seconds."""
        self.desk.drain.begun = True
        self.told.stopping(seconds + _AFTER_THE_DRAIN)
        # Long polls see the end and answer; who waits for a token hears why there is none, while it can be told.
        self.desk.keyring.end(self.desk.clock.now() + seconds * _WAITERS_SHARE)
        return await self.desk.drain.finish(seconds)


@asynccontextmanager
async def running(
    settings: Settings,
    sources: Sources,
    clock: Clock,
    load: Callable[[], Settings] | None = None,
    handed: Handed = NOTHING,
) -> AsyncIterator[Broker]:
    """A broker that serves for as long as the context lasts. Raises ConfigError before anything is served.

    `load` reads the settings anew for a reload; without it they stay what they are. `handed` is what a service manager has
    given it.
    """
    found, secrets = _found(settings, sources)
    owner = Owner(os.getuid(), in_container())
    policy = LivePolicy(settings.policy(owner))
    async with AsyncExitStack() as stack:
        auditing = stack.enter_context(open_audit(settings.log.audit, clock))
        # Sockets early: who asks before all is up waits in the kernel's queue instead of being refused.
        opened = [stack.enter_context(opening) for opening in openings(settings, clock.now, handed.sockets)]
        stores = stack.enter_context(open_stores(settings, clock))
        keyring: list[Keyring] = []
        metrics = Metrics(__version__, lambda: _readings(keyring[0], clock), auditing.lost)
        allowed = Allowed(clock, metrics, auditing.auditor)
        stack.callback(allowed.tell)
        files = Files(clock)
        told = Told(
            handed.manager,
            lambda now: summary(keyring[0], now),
            lambda: (keyring[0][name].lease for name in keyring[0]),
            clock.now(),
        )
        setting = replace(
            await _setting(settings, stores, clock),
            # What was allowed is forgotten before anybody hears of a change.
            observers=(allowed.lease_changed, Journal().tell, files.lease_changed, told.lease_changed),
            ailments=partial(_ailments, auditing, files),
        )
        roster = await stack.enter_async_context(Roster(setting, stores, metrics))
        keyring.append(roster.keyring)
        await roster.add(settings, found, secrets)
        # Held here, keys would outlive their replacement.
        del found, secrets
        stack.push_async_callback(files.aclose)
        # What another run has left in them is seen to before anything else.
        files.take_over(settings, roster.keyring)
        reloading = Reloading(
            settings, load or (lambda: settings), sources, roster, policy, owner, allowed.rules_changed, files, told,
        )  # fmt: skip
        stack.push_async_callback(reloading.aclose)
        desk = Desk(
            roster.keyring, roster.members, policy, clock, Drain(), metrics, Refusals(),
            Crowd(places(settings.serving.connections), owner.is_, policy.reads_anything), auditing.auditor, allowed,
            client_secrets=roster.client_secrets, files=files,
            facades=tuple(doorway.label for doorway, _ in opened if doorway.faces),
        )  # fmt: skip
        desk.keyring.observe()
        for doorway, listening in opened:
            site = serving(application(desk, doorway), listening, lane=settings.serving.lane)
            await stack.enter_async_context(site)
        tick = Tick(desk, (auditing.tick, roster.client_secrets.tick, files.tick, told.tick))
        await stack.enter_async_context(ticking(tick))
        yield Broker(desk, tuple(doorway.label for doorway, _ in opened), reloading, told)


def _found(settings: Settings, sources: Sources) -> tuple[Places, Found]:
    """The keys and the client secrets at start. Raises ConfigError."""
    secrets, unread = client_secrets_of(settings, settings.identities)
    found, doubts = places_of(settings, sources, settings.identities, unread)
    sources.seal()
    for problem in doubts:
        _log.warning("key_unreadable", problem=str(problem), detail="the identity works with its other key")
    return found, secrets


async def run(
    settings: Settings, sources: Sources, load: Callable[[], Settings], handed: Handed = NOTHING
) -> None:
    """The daemon: serve until SIGTERM or SIGINT, then finish what is in flight. Raises ConfigError.

    SIGHUP has `load` read the settings anew. `handed` is what a service manager has given it.
    """
    loop = asyncio.get_running_loop()
    loop.set_default_executor(_Blocking(_THREADS, thread_name_prefix="blocking"))
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with running(settings, sources, BootClock(), load, handed) as broker:
        loop.add_signal_handler(signal.SIGHUP, broker.reloading.ask)
        # Not before: a reload that is asked for as soon as it is ready would be lost.
        broker.told.serves(broker.desk.clock.now())
        _log.info(
            "serving",
            version=__version__,
            listeners=broker.addresses,
            identities=sorted(settings.identities),
            grants=len(settings.grants),
        )
        await stop.wait()
        leave(ending(broker.desk.keyring, broker.desk.clock.now()))
        # Unhandled, a late reload would end the process before what is in flight is finished.
        loop.add_signal_handler(signal.SIGHUP, lambda: None)
        _log.info("draining", at_most_seconds=settings.serving.drain)
        if not await broker.finish(settings.serving.drain):
            _log.warning("drain_cut_short", after_seconds=settings.serving.drain)
    _log.info("stopped")


async def _setting(settings: Settings, stores: Stores, clock: Clock) -> Setting:
    total = stores.total(settings.iam.url)
    return Setting(
        clock=clock,
        host=socket.gethostname(),
        allowance=Allowance(clock.now(), await total.load(), total.keep),
        jitter=random.SystemRandom().random,
        refresh=timing.Refresh(settings.refresh.earliest, settings.refresh.latest, settings.refresh.critical),
        validation=Validation(settings.validation.every, settings.validation.methods),
    )


class _Blocking(ThreadPoolExecutor):
    """Threads whose work nobody waits for at the end: a dead name server or disk must not hold up a stop."""

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002
        del wait, cancel_futures
        super().shutdown(wait=False, cancel_futures=True)


def _ailments(auditing: Auditing, files: Files, identity: str) -> Mapping[Reason, str]:
    """What is wrong around an identity, with its sentence."""
    return {**files.ailments(identity), **auditing.ailments()}


def _readings(keyring: Keyring, clock: Clock) -> Iterator[Reading]:
    """What the metrics show of each lease at this moment."""
    now, wall = clock.now(), clock.wall()
    for name in keyring:
        keeper = keyring[name]
        ends = {
            record.place.name.lower(): tending.key_end(keeper, record)
            for record in keeper.lease.keys
            if record.settled
        }
        yield Reading(
            identity=name,
            remaining=answers.remaining(keeper.lease, now),
            key_remaining={
                place: (end - wall).total_seconds() for place, end in ends.items() if end is not None
            },
            degraded=tuple(reason.value for reason in tending.reasons(keeper)),
            skew=None if keeper.skew is None else keeper.skew.total_seconds(),
        )
