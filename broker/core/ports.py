"""What the rules need from the world, as types; the rooms that touch the world implement them."""

from collections.abc import Awaitable, Sequence
from datetime import datetime
from typing import Protocol

from broker.core.memory import Budgets, Memory
from broker.core.model import AccessKey, KeyFacts, Passed, Reply, Row, Token, Validity
from broker.core.s3 import S3Reply, Wish
from broker.core.secret import Secret


class Clock(Protocol):
    """The only source of time."""

    def now(self) -> float:
        """Seconds on CLOCK_BOOTTIME: counts suspend, ignores steps of the wall clock."""
        ...

    def wall(self) -> datetime:
        """The host's wall clock in UTC: for display and for measuring skew, never for a deadline."""
        ...

    def suspended(self) -> float:
        """Seconds that the machine has slept since it booted: CLOCK_BOOTTIME minus CLOCK_MONOTONIC."""
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

    async def validate(self, token: Token) -> Validity:
        """Ask whether the token still lives, by the token itself.

        Fault.REJECTED means dead, and only where this key's tokens have been able to validate themselves before.
        """
        ...

    async def projects(self, token: Token) -> tuple[Row, ...]:
        """All projects of the token's user as Keystone gives them, following pages."""
        ...

    async def key_facts(self, token: Token) -> KeyFacts:
        """What IAM knows of the key that the token was issued with; needs `token.key_id`."""
        ...


class Forwarder(Protocol):
    """Keystone, as far as the broker's clients ask it by way of the broker."""

    async def relay(self, token: Secret, method: str, target: str) -> Passed:
        """Ask for anything, by GET or HEAD, with the token; `target` is the path below IAM's own, and its query.

        Raises IamError where there is no answer to pass back; has its own deadline.
        """
        ...


class Exchange(Protocol):
    """Object storage, as far as it trades tokens for credentials of its own."""

    def has(self, region: str) -> bool:
        """Whether it may be asked for in this region."""
        ...

    async def s3_keys(self, token: Token, wish: Wish) -> S3Reply:
        """Trade a token for S3 credentials. Raises IamError and has its own deadline.

        Fault.REJECTED is a word on the token or on what it may do, never on the access key.
        """
        ...


class Store(Protocol):
    """What survives a restart, for one identity. Every method has its own deadline and never blocks the loop."""

    async def load(self, keys: Sequence[AccessKey]) -> Memory | None:
        """What one of the keys opens; None when there is nothing, or nothing usable (which is logged, once)."""
        ...

    async def save(self, memory: Memory, keys: Sequence[AccessKey]) -> None:
        """Keep it in place of what was there, openable with each of the keys. Raises StoreError."""
        ...

    async def budgets(self) -> Budgets | None:
        """What was spent before the restart; None: nothing was, this is a first start.

        Where it cannot be told, or could not be kept, what is left allows one issue: a crash loop must not flood IAM.
        """
        ...

    async def keep_budgets(self, budgets: Budgets) -> None:
        """Remember what is left. Raises StoreError."""
        ...
