"""One connection: the library's own handler, with the caller proven when it is made, and refusals in our words.

The library answers what it cannot parse by quoting it in plain text, and logs a traceback for each: any local user could
fill the log. Here that is a problem like any other, told at debug.
"""

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING

import structlog
from aiohttp import web
from aiohttp.http_exceptions import LineTooLong

from broker.core.errors import Code, Refusal
from broker.serving.problem import response

if TYPE_CHECKING:
    from broker.core.access import Workload
    from broker.serving.doorway import Prove

_log = structlog.get_logger()

# Longer than any client pauses between two requests of one task.
KEEPALIVE_SECONDS = 75.0


class Connection(web.RequestHandler):
    """A connection of one proven caller."""

    __slots__ = ("_prove", "caller")

    def __init__(self, manager: web.Server, prove: "Prove", loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(manager, loop=loop, keepalive_timeout=KEEPALIVE_SECONDS, access_log=None)  # type: ignore[arg-type]
        self._prove = prove
        self.caller: Workload | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.caller = self._prove(transport.get_extra_info("socket"))
        super().connection_made(transport)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to what is no request; `message` would quote it."""
        del message
        if request.writer.output_size > 0:
            raise ConnectionError("an answer is under way already")
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            _log.error("connection_defect", exc_info=exc)
            refusal, status = Refusal(Code.INTERNAL, "a defect in the broker; its log says more"), 500
        elif isinstance(exc, LineTooLong):
            refusal, status = Refusal(Code.TOO_LARGE, "a line or header of the request is too long"), 431
        else:
            refusal = Refusal(Code.BAD_REQUEST, "the request is not understood; is it HTTP/1.1?")
        _log.debug("not_a_request", status=status)
        answer = response(refusal, status)
        answer.force_close()
        return answer
