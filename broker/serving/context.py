"""What every handler works with, by typed keys."""

from typing import Protocol

from aiohttp import web

from broker.core.access import Workload
from broker.core.ports import Clock
from broker.keeper.keyring import Keyring
from broker.serving.drain import Drain


class Policy(Protocol):
    """Who may do what."""

    def may_read(self, workload: Workload, identity: str) -> bool: ...


KEYRING = web.AppKey("keyring", Keyring)
CLOCK = web.AppKey("clock", Clock)
POLICY = web.AppKey("policy", Policy)
DRAIN = web.AppKey("drain", Drain)
