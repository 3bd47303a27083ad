"""What every handler works with, under one typed key."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from aiohttp import web

from broker.core.access import Verdict, Workload
from broker.core.ports import Clock
from broker.core.secret import Secret
from broker.keeper.keyring import Keyring
from broker.keeper.member import Member
from broker.serving.allowed import Allowed
from broker.serving.books import Auditor, Meter, Witness
from broker.serving.crowd import Crowd
from broker.serving.drain import Drain
from broker.serving.pace import Pace
from broker.serving.throttle import Throttle


class Policy(Protocol):
    """Who may do what, see core.access."""

    def may_read(self, workload: Workload, identity: str) -> Verdict: ...
    def may_view(self, workload: Workload, identity: str) -> Verdict: ...
    def reads_anything(self, workload: Workload) -> bool: ...


class ClientSecrets(Protocol):
    """Who knows what clients of an identity present, see the module of that name at the top."""

    def accepts(self, identity: str, given: Secret, now: float) -> bool: ...
    def wanted(self, identity: str) -> bool: ...


class Nobodys:
    """Client secrets of a broker that was given none: nothing is accepted, so that none is forgotten unnoticed."""

    def accepts(self, identity: str, given: Secret, now: float) -> bool:
        """Whether a client may present this for the identity."""
        del identity, given, now
        return False

    def wanted(self, identity: str) -> bool:
        """Whether a client has to know one."""
        del identity
        return True


class Files(Protocol):
    """Who knows what has become of an identity's token files, see the module of that name at the top."""

    def shown(self, identity: str) -> Sequence[Mapping[str, object]]: ...


class NoFiles:
    """Those of a broker without any."""

    def shown(self, identity: str) -> Sequence[Mapping[str, object]]:
        """The state of each."""
        del identity
        return ()


@dataclass(frozen=True, slots=True)
class Desk:
    """The broker as its handlers know it."""

    keyring: Keyring
    members: Mapping[str, Member]
    policy: Policy
    clock: Clock
    drain: Drain
    meter: Meter
    witness: Witness
    crowd: Crowd
    auditor: Auditor
    allowed: Allowed
    facades: tuple[str, ...] = ()  # the listeners that have the Keystone facade
    pace: Pace = field(default_factory=Pace)
    throttle: Throttle = field(default_factory=Throttle)
    client_secrets: ClientSecrets = field(default_factory=Nobodys)
    files: Files = field(default_factory=NoFiles)


DESK = web.AppKey("desk", Desk)
