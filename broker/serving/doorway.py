"""One listener as the serving room sees it: what may be asked there, by which gates, and who is on the other end.

- Tokens are served on Unix sockets and loopback only. On any other address their routes do not exist.
- The caller is proven once, when the connection is made; nothing on the wire can change who it is.
- A face is somebody else's API, below paths of its own, for programs that were written for that one: they cannot send a
  header of ours, so `Metadata: true` is not asked for there.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from aiohttp import web

from broker.core.access import Workload
from broker.core.errors import Refusal
from broker.serving.problem import Handler

# A connected socket in, its proven caller out; None where the kernel proves nobody.
Prove = Callable[[object], Workload | None]


@dataclass(frozen=True, slots=True)
class Gate:
    """One look at a request; `check` raises a Refusal."""

    name: str  # for the audit
    check: Callable[[web.Request], None]


@dataclass(frozen=True, slots=True)
class Face:
    """Another API that a listener has beside ours: its routes, and how it says no."""

    prefixes: tuple[str, ...]
    routes: tuple[tuple[str, str, Handler], ...]  # method, path and handler
    refused: Callable[[Refusal], web.Response]


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
    faces: tuple[Face, ...] = ()


DOORWAY = web.AppKey("doorway", Doorway)


def face_of(request: web.Request) -> Face | None:
    """The API that this path belongs to, whether or not it has a route there; None: it is ours."""
    path = request.path
    for face in request.app[DOORWAY].faces:
        if any(path == prefix or path.startswith(f"{prefix}/") for prefix in face.prefixes):
            return face
    return None
