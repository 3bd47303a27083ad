"""One listener as the serving room sees it: what may be asked there, by which gates, and who is on the other end.

- Tokens are served on Unix sockets and loopback only. On any other address their routes do not exist.
- The caller is proven once, when the connection is made; nothing on the wire can change who it is.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from aiohttp import web

from broker.core.access import Workload

# A connected socket in, its proven caller out; None where the kernel proves nobody.
Prove = Callable[[object], Workload | None]


@dataclass(frozen=True, slots=True)
class Gate:
    """One look at a request; `check` raises a Refusal."""

    name: str  # for the audit
    check: Callable[[web.Request], None]


class Serve(StrEnum):
    """What a listener may offer."""

    TOKENS = "tokens"
    HEALTH = "health"
    METRICS = "metrics"


@dataclass(frozen=True, slots=True)
class Doorway:
    """A listener."""

    label: str  # the socket's path, or host:port
    serve: frozenset[Serve]
    gates: tuple[Gate, ...]
    prove: Prove


DOORWAY = web.AppKey("doorway", Doorway)
