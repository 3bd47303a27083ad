"""Faults as values: what goes wrong, for whom, and how often.

Rules:

- Delays add up, skews add up, and both go with any other fault.
- A *replacement* (a status of 300 or more, a redirect, a reset, a hang) answers instead of IAM, which then never
  sees the request: no token is issued. Only the first one that matches counts.
- Without a replacement IAM does its work and every matching *twist* bends its answer.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal


class Operation(StrEnum):
    """What a request wants, as faults and counters call it."""

    ISSUE = "issue"
    VALIDATE = "validate"
    PROJECTS = "projects"
    KEY = "key"
    EXCHANGE = "exchange"
    S3 = "s3"
    REVOKE = "revoke"
    READ = "read"
    UNKNOWN = "unknown"


class Twist(StrEnum):
    """A way to spoil a good answer."""

    HALF = "half"
    WRONG_JSON = "wrong-json"
    NOT_OBJECT = "not-object"
    NO_TOKEN = "no-token"  # noqa: S105  (the name of a fault)
    NO_EXPIRY = "no-expiry"
    BAD_EXPIRY = "bad-expiry"
    EXPIRY_BEFORE_ISSUE = "expiry-before-issue"
    OVERSIZED = "oversized"


class Drop(StrEnum):
    """No answer at all: the connection is reset, or hangs until the fault is removed."""

    RESET = "reset"
    HANG = "hang"


@dataclass(frozen=True, slots=True)
class Latency:
    """Wait before anything else."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Skew:
    """IAM's clock is off by `seconds`: in its Date header, in the times it writes into tokens, or in both."""

    seconds: float
    only: Literal["both", "date", "times"] = "both"


@dataclass(frozen=True, slots=True)
class Status:
    """Another status; below 300 IAM's own answer goes out under it.

    `retry_after` is the header's text; `date+30` stands for the HTTP-date 30 s from IAM's now.
    """

    code: int
    body: Literal["json", "html", "empty"] = "json"
    retry_after: str | None = None


@dataclass(frozen=True, slots=True)
class Redirect:
    """A redirect to `to`, by default to the same path, so that a client that follows shows in the counters."""

    to: str | None = None
    status: int = 302


Effect = Latency | Skew | Status | Redirect | Twist | Drop


@dataclass(frozen=True, slots=True)
class Fault:
    """An effect on every request, or only on `times` of them, of one operation, of one key."""

    effect: Effect
    times: int | None = None
    on: Operation | None = None
    key: str | None = None

    def matches(self, operation: Operation, key_id: str | None) -> bool:
        """Whether a request of this operation and key is hit."""
        return self.on in {None, operation} and self.key in {None, key_id}

    @property
    def replaces(self) -> bool:
        """Whether it answers instead of IAM."""
        if isinstance(self.effect, Status):
            return self.effect.code >= 300
        return isinstance(self.effect, Redirect | Drop)
