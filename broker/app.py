"""The composition root: settings in, running daemon out; up in order, down in reverse.

`running` is the whole broker without signals, so that tests and the demo start the very thing that `run` starts.
"""

import asyncio
import os
import random
import signal
import socket
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import structlog
from aiohttp import web

from broker import __version__
from broker.callers.container import in_container
from broker.callers.listeners import BACKLOG, unix_listener
from broker.clock import BootClock
from broker.core.access import Owner, Policy
from broker.core.errors import ConfigError, Problem
from broker.core.model import AccessKey
from broker.core.ports import Clock, KeySource
from broker.identity.sources import Sources
from broker.issuer.keystone import Endpoint, Keystone
from broker.keeper.keeper import Allowance, Keeper, Setting
from broker.keeper.keyring import Keyring
from broker.keeper.ticker import ticking
from broker.observability import journal
from broker.serving.application import application
from broker.serving.drain import Drain
from broker.settings import Settings, UnixListener

_log = structlog.get_logger()

# Name look-ups and key files block threads, one an identity at a time: a hanging one must not hold up the others (L12).
_THREADS = 64
# Once the drain is over, what is still open gets this many seconds to end.
_LAST_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Broker:
    """A running broker."""

    keyring: Keyring
    drain: Drain


@asynccontextmanager
async def running(settings: Settings, sources: Sources, clock: Clock) -> AsyncIterator[Broker]:
    """A broker that serves for as long as the context lasts. Raises ConfigError before anything is served."""
    keys = read_keys(settings, sources)
    async with AsyncExitStack() as stack:
        # Sockets first: who asks early waits in the kernel's queue instead of being refused.
        sockets = [stack.enter_context(_listener(listener)) for listener in settings.listen]
        keepers = await _keepers(settings, keys, clock, stack)
        keyring = Keyring(keepers, clock)
        stack.push_async_callback(keyring.aclose)
        keyring.observe()
        drain = Drain()
        policy = Policy(Owner(os.getuid(), in_container()))
        await _serve(application(keyring, policy, clock, drain), sockets, stack)
        await stack.enter_async_context(ticking(keyring.observe))
        yield Broker(keyring, drain)


async def run(settings: Settings, sources: Sources) -> None:
    """The daemon: serve until SIGTERM or SIGINT, then finish what is in flight. Raises ConfigError."""
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(_THREADS, thread_name_prefix="blocking"))
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    # Unhandled, it would end the process.
    loop.add_signal_handler(signal.SIGHUP, _cannot_reload)
    async with running(settings, sources, BootClock()) as broker:
        _log.info(
            "serving",
            version=__version__,
            listeners=[str(listener.unix) for listener in settings.listen],
            identities=sorted(settings.identities),
        )
        await stop.wait()
        _log.info("draining", at_most_seconds=settings.serving.drain)
        if not await broker.drain.finish(settings.serving.drain):
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


async def _keepers(
    settings: Settings,
    keys: Mapping[str, tuple[KeySource, AccessKey]],
    clock: Clock,
    stack: AsyncExitStack,
) -> dict[str, Keeper]:
    setting = Setting(
        clock=clock,
        host=socket.gethostname(),
        allowance=Allowance(clock.now()),
        jitter=random.SystemRandom().random,
        observers=(journal.tell,),
    )
    keepers = {}
    for name, (source, key) in keys.items():
        iam = settings.iam_of(name)
        endpoint = Endpoint(iam.url, iam.ca_file, iam.timeout, iam.connect_timeout, iam.insecure)
        # One client an identity: a hanging IAM takes no connection away from another's (L12).
        issuer = await stack.enter_async_context(Keystone(endpoint, clock))
        keepers[name] = Keeper(name, source, key, issuer, setting)
    return keepers


def _listener(listener: UnixListener) -> AbstractContextManager[socket.socket]:
    return unix_listener(listener.unix, listener.mode, listener.group)


async def _serve(app: web.Application, sockets: list[socket.socket], stack: AsyncExitStack) -> None:
    runner = web.AppRunner(app, handle_signals=False, access_log=None, shutdown_timeout=_LAST_SECONDS)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    for listening in sockets:
        await web.SockSite(runner, listening, backlog=BACKLOG).start()


def _cannot_reload() -> None:
    _log.warning(
        "reload_not_supported", detail="settings are read at start; restart the broker to apply changes"
    )
