"""What can happen to a lease, told by its keeper; times are seconds on the broker's clock."""

from dataclasses import dataclass

from broker.core.errors import Fault
from broker.core.model import Held


@dataclass(frozen=True, slots=True)
class Started:
    """An issue request leaves."""

    at: float


@dataclass(frozen=True, slots=True)
class Issued:
    """It brought a token, for the key of this generation."""

    at: float
    generation: int
    held: Held


@dataclass(frozen=True, slots=True)
class Failed:
    """It brought a fault, for the key of this generation."""

    at: float
    generation: int
    fault: Fault
    detail: str
    retry_after: float | None  # seconds, as IAM wished
    draw: float  # in [0, 1): the jitter of the next try


@dataclass(frozen=True, slots=True)
class KeyChanged:
    """The identity has another access key from now on."""

    at: float


@dataclass(frozen=True, slots=True)
class Expired:
    """The held token reached its deadline."""

    at: float


@dataclass(frozen=True, slots=True)
class Died:
    """The held token is known to be dead before its deadline."""

    at: float


Event = Started | Issued | Failed | KeyChanged | Expired | Died
