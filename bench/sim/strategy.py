"""What the simulation wants of a strategy: to give a token, and to live through what happens to its machine."""

from dataclasses import dataclass
from typing import Protocol

from bench.sim.clock import SimClock
from bench.sim.iam import Iam
from broker.fakeiam.model import Key

PATIENCE = 10.0  # seconds that a client waits for a token


@dataclass(slots=True)
class KeyFile:
    """Where the access key lies on the machine; whoever asks IAM reads it anew."""

    key: Key


@dataclass(frozen=True, slots=True)
class Host:
    """One machine."""

    name: str
    clock: SimClock
    iam: Iam
    key_file: KeyFile
    seed: int
    clients: int = 1


class Strategy(Protocol):
    """How the clients of one machine come by their token."""

    async def start(self) -> None:
        """Run; return when a token is there, where the strategy holds one for its clients."""
        ...

    def ready(self, client: int) -> bool:
        """Whether `get` gives this client a token at once, without awaiting anything."""
        ...

    async def get(self, client: int) -> str | None:
        """The token for this client, within its patience; None: there is none."""
        ...

    def refused(self, client: int, text: str) -> None:
        """IAM refused the token that this client used."""
        ...

    async def restart(self) -> None:
        """A process is killed, and started anew."""
        ...

    def moved(self) -> None:
        """The machine has slept, or its wall clock was set."""
        ...

    async def stop(self) -> None:
        """End all that runs."""
        ...
