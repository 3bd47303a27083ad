"""What is worth keeping over a restart, as values; moments are seconds on the broker's clock, as everywhere.

A store translates the moments: within one boot they stand, after a reboot the wall clock says how long ago they were.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from broker.core.budget import Bucket
from broker.core.model import Reply


@dataclass(frozen=True, slots=True)
class Memory:
    """What is sealed: it is worth as much as the token."""

    reply: Reply | None = None  # the token that is held; None: none is, or it is known to be dead
    key: str | None = None  # `ref` of the access key that it was issued with
    # By `ref` of an access key, the names of the validation methods that have succeeded for it once (L8).
    evidence: Mapping[str, frozenset[str]] = field(default_factory=dict)
    rejected: tuple[str, ...] = ()  # digests of tokens known to be dead, the latest last; a few


@dataclass(frozen=True, slots=True)
class Budgets:
    """What is left to be asked of IAM; no secret."""

    issues: Bucket
    validations: Bucket
