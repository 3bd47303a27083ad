"""What surrounds every request on every listener, from the outside in: PASSAGE is the order.

A stranger's waits for its turn. Then it is counted as in flight, measured by its answer, its failures become problems,
and then come the gates of its listener. A handler gets the proven caller from `workload`.
"""

from http import HTTPStatus

from aiohttp import web

from broker.core.access import Workload
from broker.core.errors import Code, Refusal
from broker.serving import problem
from broker.serving.connection import Connection
from broker.serving.context import DESK
from broker.serving.doorway import DOORWAY, face_of
from broker.serving.gates import route_of
from broker.serving.problem import STATUS, Handler, answered, known
from broker.serving.turned_away import turned_away

_GATE = "gate "
# The identity that the body asks for, where the path names none; a stranger's word, until it is one of the configuration.
ASKED_FOR = web.RequestKey("asked_for", str)


@web.middleware
async def counted(request: web.Request, handler: Handler) -> web.StreamResponse:
    """In flight, for the drain, and no more idle; a stranger's only once it is its turn."""
    if isinstance(request.protocol, Connection):
        await request.protocol.turn()
        request.protocol.understood()
    with request.app[DESK].drain.request():
        return await handler(request)


@web.middleware
async def measured(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Its answer, for the metrics."""
    answer = await handler(request)
    request.app[DESK].meter.requested(request.app[DOORWAY].label, route_of(request), answer.status)
    return answer


@web.middleware
async def refusals(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every way in which it can fail, as a problem; who is turned away is counted and written down."""
    try:
        return await handler(request)
    except Exception as error:  # noqa: BLE001  (a request that meets a defect is answered too)
        face = face_of(request)
        answer = answered(error, route_of(request), problem.response if face is None else face.refused)
        if (refusal := known(error)) is not None:
            _note(request, refusal)
            if refusal.by.startswith(_GATE):
                # Somebody else may see another end of it, and what comes next may be what is hidden in it.
                answer.force_close()
        return answer


@web.middleware
async def gated(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The gates, in their order; the one that refuses is named for the audit, and ends the connection."""
    for gate in request.app[DOORWAY].gates:
        try:
            gate.check(request)
        except Refusal as refusal:
            refusal.by = f"{_GATE}{gate.name}"
            raise
    return await handler(request)


PASSAGE = (counted, measured, refusals, gated)


def workload(request: web.Request) -> Workload:
    """The proven caller. Raises Refusal."""
    caller = _caller(request)
    if caller is None:
        raise Refusal(
            Code.CALLER_UNKNOWN,
            "the kernel does not prove who is calling; connect again, or use the Unix socket",
            by="proof",
        )
    return caller


def _caller(request: web.Request) -> Workload | None:
    connection = request.protocol
    return connection.caller if isinstance(connection, Connection) else None


def _note(request: web.Request, refusal: Refusal) -> None:
    """Turned away at the door, unlike 503, which is IAM's trouble and told elsewhere."""
    if STATUS[refusal.code] >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return
    desk = request.app[DESK]
    name = request.match_info.get("name") or request.get(ASKED_FOR)
    identity = name if name is not None and name in desk.keyring else None
    by, route = refusal.by or "route", route_of(request)
    turned_away(desk, request.app[DOORWAY], _caller(request), refusal.code.value, by, route, identity)
