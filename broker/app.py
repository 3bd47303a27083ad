"""The composition root: settings in, running daemon out; up in order, down in reverse.

`running` is the whole broker without signals, so that tests and the demo start the very thing that `run` starts.
"""

import asyncio
import os
import random
import signal
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

import structlog

from broker import __version__
from broker.callers.container import in_container
from broker.clock import BootClock
from broker.core import timing
from broker.core.access import Owner
from broker.core.errors import ConfigError, Problem
from broker.core.model import AccessKey
from broker.core.ports import Clock, KeySource
from broker.identity.sources import Sources
from broker.issuer.keystone import Endpoint, Keystone
from broker.keeper.keeper import Allowance, Keeper, Setting
from broker.keeper.keyring import Keyring
from broker.keeper.projects import Projects
from broker.keeper.ticker import EVERY, ticking
from broker.observability.journal import Journal
from broker.observability.metrics import Metrics, Reading
from broker.observability.refusals import Refusals
from broker.openings import openings
from broker.serving import answers
from broker.serving.application import application
from broker.serving.context import Desk
from broker.serving.drain import Drain
from broker.serving.site import serving
from broker.settings import Settings

_log = structlog.get_logger()

# Name look-ups and key files block threads, and one that hangs keeps its thread: others must still find one (L12).
_THREADS = 64
# The part of the drain for which callers may go on waiting; in the rest they are answered.
_WAITERS_SHARE = 0.9


@dataclass(frozen=True, slots=True)
class Broker:
    """A running broker."""

    desk: Desk
    addresses: tuple[str, ...]  # where it listens, as it turned out

    async def finish(self, seconds: float) -> bool:
        """Turn readiness off and wait for what is in flight; False when that took longer than so many seconds."""
        self.desk.drain.begun = True
        # Long polls see the end and answer; who waits for a token hears why there is none, while it can be told.
        self.desk.keyring.end(self.desk.clock.now() + seconds * _WAITERS_SHARE)
        return await self.desk.drain.finish(seconds)


@asynccontextmanager
async def running(settings: Settings, sources: Sources, clock: Clock) -> AsyncIterator[Broker]:
    """A broker that serves for as long as the context lasts. Raises ConfigError before anything is served."""
    keys = read_keys(settings, sources)
    async with AsyncExitStack() as stack:
        # Sockets first: who asks early waits in the kernel's queue instead of being refused.
        opened = [stack.enter_context(opening) for opening in openings(settings)]
        desk = await _desk(settings, keys, clock, stack)
        desk.keyring.observe()
        for doorway, listening in opened:
            await stack.enter_async_context(serving(application(desk, doorway), listening))
        await stack.enter_async_context(ticking(_Tick(desk)))
        yield Broker(desk, tuple(doorway.label for doorway, _ in opened))


async def run(settings: Settings, sources: Sources) -> None:
    """The daemon: serve until SIGTERM or SIGINT, then finish what is in flight. Raises ConfigError."""
    loop = asyncio.get_running_loop()
    loop.set_default_executor(_Blocking(_THREADS, thread_name_prefix="blocking"))
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    # Unhandled, it would end the process.
    loop.add_signal_handler(signal.SIGHUP, _cannot_reload)
    async with running(settings, sources, BootClock()) as broker:
        _log.info(
            "serving",
            version=__version__,
            listeners=broker.addresses,
            identities=sorted(settings.identities),
            grants=len(settings.grants),
        )
        await stop.wait()
        _log.info("draining", at_most_seconds=settings.serving.drain)
        if not await broker.finish(settings.serving.drain):
            _log.warning("drain_cut_short", after_seconds=settings.serving.drain)
    _log.info("stopped")


def read_keys(settings: Settings, sources: Sources) -> dict[str, tuple[KeySource, AccessKey]]:
    """Every identity's source and key. Raises ConfigError with the problems of all of them."""
    found: dict[str, tuple[KeySource, AccessKey]] = {}
    problems: list[Problem] = []
    for name, identity in settings.identities.items():
        source = sources.of(identity.keys[0])
        try:
            found[name] = source, source.read()
        except ConfigError as error:
            problems += error.problems
    sources.seal()
    if problems:
        raise ConfigError(*problems)
    return found


async def _desk(
    settings: Settings, keys: Mapping[str, tuple[KeySource, AccessKey]], clock: Clock, stack: AsyncExitStack
) -> Desk:
    keepers: dict[str, Keeper] = {}
    lists: dict[str, Projects] = {}
    metrics = Metrics(__version__, lambda: _readings(keepers, clock))
    setting = Setting(
        clock=clock,
        host=socket.gethostname(),
        allowance=Allowance(clock.now()),
        jitter=random.SystemRandom().random,
        observers=(Journal().tell,),
        refresh=timing.Refresh(settings.refresh.earliest, settings.refresh.latest, settings.refresh.critical),
    )
    for name, (source, key) in keys.items():
        iam = settings.iam_of(name)
        endpoint = Endpoint(iam.url, iam.ca_file, iam.timeout, iam.connect_timeout, iam.insecure)
        # One client an identity: a hanging IAM takes no connection away from another's (L12).
        issuer = Keystone(endpoint, clock, partial(metrics.asked, name))
        await stack.enter_async_context(issuer)
        keepers[name] = Keeper(name, source, key, issuer, setting)
        lists[name] = Projects(keepers[name], issuer, clock)
        stack.push_async_callback(lists[name].aclose)
    keyring = Keyring(keepers, clock)
    stack.push_async_callback(keyring.aclose)
    policy = settings.policy(Owner(os.getuid(), in_container()))
    return Desk(keyring, lists, policy, clock, Drain(), metrics, Refusals())


class _Blocking(ThreadPoolExecutor):
    """Threads whose work nobody waits for at the end: a dead name server or disk must not hold up a stop."""

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002
        del wait, cancel_futures
        super().shutdown(wait=False, cancel_futures=True)


class _Tick:
    """What happens each second; how late it comes says how busy the loop is."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._due = desk.clock.now() + EVERY

    def __call__(self) -> None:
        now = self._desk.clock.now()
        self._desk.meter.lag(max(0.0, now - self._due))
        self._due = now + EVERY
        self._desk.keyring.observe()


def _readings(keepers: Mapping[str, Keeper], clock: Clock) -> Iterator[Reading]:
    """What the metrics show of each lease at this moment."""
    now, wall = clock.now(), clock.wall()
    for name, keeper in keepers.items():
        yield Reading(
            identity=name,
            remaining=answers.remaining(keeper.lease, now),
            key_remaining=answers.key_remaining(keeper.lease, wall),
            degraded=tuple(answers.degraded(keeper.lease)),
            skew=None if keeper.skew is None else keeper.skew.total_seconds(),
        )


def _cannot_reload() -> None:
    _log.warning(
        "reload_not_supported", detail="settings are read at start; restart the broker to apply changes"
    )
