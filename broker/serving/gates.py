"""What every request passes before a handler sees it, in one order.

drain (it counts), refusals (they are answered), size (what is too large is not read). Health needs no caller;
everything else takes the caller from `workload`, which refuses where the kernel proved none.
"""

from aiohttp import web

from broker.callers import unix
from broker.core.access import Workload
from broker.core.errors import Code, Refusal
from broker.serving.context import DRAIN
from broker.serving.problem import Handler, refusals

# No request of ours has a body.
LARGEST_BODY = 16 * 1024


@web.middleware
async def counted(request: web.Request, handler: Handler) -> web.StreamResponse:
    """A request in flight, for the drain."""
    with request.app[DRAIN].request():
        return await handler(request)


@web.middleware
async def sized(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuses by the size that is announced; handlers read no body, so the library would never look."""
    if (request.content_length or 0) > LARGEST_BODY:
        raise Refusal(Code.TOO_LARGE, "the request is too large; send no body")
    return await handler(request)


def workload(request: web.Request) -> Workload:
    """The proven caller. Raises Refusal."""
    transport = request.transport
    connection = None if transport is None else transport.get_extra_info("socket")
    listener = str(connection.getsockname()) if connection is not None else ""
    proven = None if connection is None else unix.prove(connection, listener)
    if proven is None:
        raise Refusal(Code.CALLER_UNKNOWN, "the kernel does not say who is calling; connect again")
    return proven


GATES = (counted, refusals, sized)
