"""What can happen to a lease, told by its keeper; times are seconds on the broker's clock, draws lie in [0, 1)."""

from dataclasses import dataclass

from broker.core.keys import Place
from broker.core.model import Held
from broker.core.trouble import Failure
from broker.core.watch import Method


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
    draw: float = 0.5  # of the next validation


@dataclass(frozen=True, slots=True)
class Failed:
    """It brought a fault, for the key of this generation."""

    generation: int
    failure: Failure


@dataclass(frozen=True, slots=True)
class KeyChanged:
    """The source of this place holds another access key, of this generation from now on."""

    at: float
    place: Place
    generation: int
    ref: str


@dataclass(frozen=True, slots=True)
class KeyReverted:
    """The source of this place holds its settled key again, or was looked at anew."""

    at: float
    place: Place


@dataclass(frozen=True, slots=True)
class KeyDropped:
    """The configuration has no such place any more."""

    at: float
    place: Place


@dataclass(frozen=True, slots=True)
class Expired:
    """The held token reached its deadline."""

    at: float


@dataclass(frozen=True, slots=True)
class Checking:
    """A validation of the held token leaves."""

    at: float


@dataclass(frozen=True, slots=True)
class Alive:
    """It says that the token of this digest lives."""

    at: float
    digest: str
    by: Method
    roles: frozenset[str] | None  # ids; None: the method does not tell
    draw: float = 0.5  # of the next validation


@dataclass(frozen=True, slots=True)
class Unchecked:
    """It failed. Fault.REJECTED, or a 403, may say that the token is dead, or that the method is not for this key."""

    digest: str
    by: Method
    failure: Failure
    forbidden: bool = False


@dataclass(frozen=True, slots=True)
class KeyAsked:
    """IAM is asked about an access key itself, within what is left for validations."""

    at: float


@dataclass(frozen=True, slots=True)
class Woke:
    """The machine, or this process, has slept."""

    at: float


@dataclass(frozen=True, slots=True)
class Doubted:
    """Somebody who was given the token of this digest asks for one again: it may be refused somewhere."""

    at: float
    digest: str


@dataclass(frozen=True, slots=True)
class Reported:
    """A client says that IAM, or a service, refuses the token of this digest."""

    at: float
    digest: str


Event = (
    Started
    | Issued
    | Failed
    | KeyChanged
    | KeyReverted
    | KeyDropped
    | Expired
    | Checking
    | Alive
    | Unchecked
    | KeyAsked
    | Woke
    | Doubted
    | Reported
)
