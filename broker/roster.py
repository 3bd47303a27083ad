"""The identities that run: each with a client of IAM, a keeper and lists of its own, to be added and ended while it runs."""

import asyncio
from collections.abc import Iterable
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from typing import Self

from broker.client_secrets import ClientSecrets, Found
from broker.core.errors import ConfigError, Problem
from broker.core.ports import Clock
from broker.core.s3 import Wish
from broker.exchange.storage import ObjectStorage
from broker.identity.sources import Sources
from broker.issuer.keystone import Endpoint, Keystone
from broker.keeper.keeper import Keeper
from broker.keeper.keyring import Keyring
from broker.keeper.ledger import Ledger
from broker.keeper.member import Member
from broker.keeper.places import KeyPlace
from broker.keeper.projects import Projects
from broker.keeper.relay import Relay
from broker.keeper.s3_credentials import S3Credentials
from broker.keeper.setting import Setting
from broker.observability.metrics import Metrics
from broker.settings import Settings
from broker.stores import Stores

Places = dict[str, tuple[KeyPlace, ...]]


class Roster:
    """An async context manager that ends all identities; belongs to one event loop."""

    def __init__(self, setting: Setting, stores: Stores, metrics: Metrics) -> None:
        self.clock: Clock = setting.clock
        self.keyring = Keyring({}, setting.clock)
        self.members: dict[str, Member] = {}
        self.client_secrets = ClientSecrets(setting.clock)
        self._setting = setting
        self._stores = stores
        self._metrics = metrics
        self._stacks: dict[str, AsyncExitStack] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.keyring.aclose()  # a tick that is under way must not come to keepers that have ended
        await asyncio.gather(*(stack.aclose() for stack in self._stacks.values()))

    async def add(self, settings: Settings, found: Places, secrets: Found) -> None:
        """Run these identities as well, with what they have kept. Raises ConfigError, and then runs none of them.

        `secrets` are their client secrets.
        """
        made: dict[str, Member] = {}
        try:
            for name, places in found.items():
                made[name] = await self._make(settings, name, places)
        except ConfigError:
            for name in made:
                await self.end(name)
            raise
        await asyncio.gather(*(member.keeper.restore() for member in made.values()))
        self.client_secrets.take_over(secrets)
        for name, member in made.items():
            self.members[name] = member
            self.keyring.add(name, member.keeper)

    def dismiss(self, name: str) -> None:
        """Nobody finds this identity any longer: who waits for its token is told that there is none."""
        keeper = self.keyring.take(name)
        del self.members[name]
        keeper.end(self.clock.now())

    async def end(self, name: str) -> None:
        """Close what an identity had that was dismissed, or never came to run."""
        await self._stacks.pop(name).aclose()

    async def _make(self, settings: Settings, name: str, places: tuple[KeyPlace, ...]) -> Member:
        iam = settings.iam_of(name)
        endpoint = Endpoint(iam.url, iam.ca_file, iam.timeout, iam.connect_timeout, iam.insecure)
        # One client an identity: a hanging IAM takes no connection away from another's (L12).
        issuer = Keystone(endpoint, self.clock, partial(self._metrics.asked, name))
        storage, wish = _storage(settings, name, self.clock, self._metrics)
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(issuer)
            if storage is not None:
                await stack.enter_async_context(storage)
            ledger = Ledger()
            setting = replace(self._setting, observers=(*self._setting.observers, ledger.lease_changed))
            keeper = Keeper(name, places, issuer, self._stores.of(name, iam.url), setting)
            s3 = S3Credentials(keeper, storage, self.clock, wish)
            member = Member(keeper, Projects(keeper, issuer, self.clock), s3, Relay(issuer), ledger)
            stack.push_async_callback(member.aclose)
            stack.push_async_callback(self.client_secrets.drop, name)
            self._stacks[name] = stack.pop_all()
        return member


def _storage(
    settings: Settings, name: str, clock: Clock, metrics: Metrics
) -> tuple[ObjectStorage | None, Wish]:
    """Where an identity's tokens buy S3 credentials, if anywhere, and what they buy there as a rule."""
    iam, s3, places = settings.iam_of(name), settings.s3, settings.storage_of(name)
    wish = Wish(s3.region, int(s3.duration))
    if places is None:
        return None, wish
    endpoint = places.endpoint(s3.ca_file, iam.timeout, iam.connect_timeout, insecure=iam.insecure)
    return ObjectStorage(places, endpoint, clock, partial(metrics.asked, name)), wish


def places_of(
    settings: Settings, sources: Sources, names: Iterable[str], beside: Iterable[Problem] = ()
) -> tuple[Places, list[Problem]]:
    """The sources of these identities with their keys, and what is wrong with some of them; blocks on the disk.

    Raises ConfigError where an identity has no key at all: with one of two, it can work; and where something else was
    found that cannot be, `beside` the keys, so that all of it is told at once.
    """
    found: Places = {}
    doubts: list[Problem] = []
    fatal: list[Problem] = []
    for name in names:
        places, problems = _read(settings, sources, name)
        found[name] = places
        (doubts if any(place.key for place in places) else fatal).extend(problems)
    fatal.extend(beside)
    if fatal:
        raise ConfigError(*fatal)
    return found, doubts


def _read(settings: Settings, sources: Sources, name: str) -> tuple[tuple[KeyPlace, ...], list[Problem]]:
    identity = settings.identities[name]
    places: list[KeyPlace] = []
    problems: list[Problem] = []
    for words, end in zip(identity.keys, identity.key_expires_at, strict=True):
        source = sources.of(words)
        try:
            places.append(KeyPlace(source, source.read(), end))
        except ConfigError as error:
            problems += error.problems
            places.append(KeyPlace(source, None, end))
    return tuple(places), problems
