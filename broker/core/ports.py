"""What the rules need from the world, as types; the rooms that touch the world implement them."""

from collections.abc import Awaitable
from datetime import datetime
from typing import Protocol

from broker.core.model import AccessKey, Reply, Row, Token


class Clock(Protocol):
    """The only source of time."""

    def now(self) -> float:
        """Seconds on CLOCK_BOOTTIME: counts suspend, ignores steps of the wall clock."""
        ...

    def wall(self) -> datetime:
        """The host's wall clock in UTC: for display and for measuring skew, never for a deadline."""
        ...

    async def wait(self, change: Awaitable[object], until: float) -> None:
        """Return when `change` is done or the clock reads `until`; `change` itself is never cancelled."""
        ...


class KeySource(Protocol):
    """Where one access key comes from."""

    @property
    def where(self) -> str:
        """The place, for people."""
        ...

    def read(self) -> AccessKey:
        """The key as it stands now; blocks on the disk. Raises ConfigError when there is no usable key."""
        ...


class Issuer(Protocol):
    """Keystone, as far as the broker asks it. Every method raises IamError and has its own deadline."""

    async def issue(self, key: AccessKey) -> Reply:
        """Trade an access key for a new token."""
        ...

    async def validate(self, token: Token) -> frozenset[str]:
        """Ask whether the token still lives, by the token itself; the ids of the roles that it has now.

        Fault.REJECTED means dead, and only where this key's tokens have been able to validate themselves before.
        """
        ...

    async def projects(self, token: Token) -> tuple[Row, ...]:
        """All projects of the token's user as Keystone gives them, following pages."""
        ...
