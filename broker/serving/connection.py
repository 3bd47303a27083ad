"""One connection: the library's own handler, with the caller proven when it is made, limits, and refusals in our words.

- Too many connections, in all or of one user, are closed at once.
- Whoever sends no whole request in time, more than fits a request, or does not read the answer, is let go: the library
  would queue megabytes of headers for each connection and wait for its reader without end.
- The library answers what it cannot parse by quoting it in plain text, and logs a traceback for each, as for a body that
  is packed wrongly: any local user could fill the log. Here that is a problem like any other, told at debug.
"""

import asyncio
from http import HTTPStatus

import structlog
from aiohttp import web
from aiohttp.http_exceptions import LineTooLong

from broker.core.access import Workload
from broker.core.errors import Code, Refusal
from broker.serving.context import DESK, Desk
from broker.serving.doorway import DOORWAY, Serve
from broker.serving.problem import SERVER, STATUS, answered, plain, response

_log = structlog.get_logger()

# Longer than any client pauses between two requests of one task.
KEEPALIVE_SECONDS = 75.0
# For the first request, from the connection on; the library's keep-alive bounds the later ones.
REQUEST_SECONDS = 10.0
# For the reader of an answer, which is small.
ANSWER_SECONDS = 10.0
# For the rest of a body that nobody reads, so that its sender hears why before the connection ends.
LINGERING_SECONDS = 1.0
# What may have come beyond the last answer; a request of ours has a head, and seldom a small body.
MOST_UNANSWERED = 64 * 1024


class Connection(web.RequestHandler):
    """A connection of one proven caller."""

    __slots__ = ("_desk", "_doorway", "_heard", "_link", "_patience", "_unanswered", "_welcome", "caller")

    def __init__(self, manager: web.Server, app: web.Application, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(
            manager,
            loop=loop,
            keepalive_timeout=KEEPALIVE_SECONDS,
            lingering_time=LINGERING_SECONDS,
            access_log=None,  # type: ignore[arg-type]
            auto_decompress=False,  # the one body that is read has a hundred bytes; nobody may have more unpacked
        )
        self._desk: Desk = app[DESK]
        self._doorway = app[DOORWAY]
        self._welcome = False
        self._link: asyncio.BaseTransport | None = None
        self._heard = False
        self._unanswered = 0
        self._patience = loop.call_later(REQUEST_SECONDS, self._give_up)
        self.caller: Workload | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.caller = self._doorway.prove(transport.get_extra_info("socket"))
        self._link = transport
        self._welcome = self._desk.crowd.enter(self._uid)
        if self._welcome:
            super().connection_made(transport)
            return
        self._note("too_many_connections", "crowd")
        now = self._desk.clock.now()
        self._desk.witness.tell("too_many_connections", self.caller, self._doorway.label, "other", now)
        self._abort()

    def data_received(self, data: bytes) -> None:
        if not self._welcome:
            return
        self._heard = True
        self._unanswered += len(data)
        if self._unanswered > MOST_UNANSWERED:
            self._let_go(
                Refusal(
                    Code.TOO_LARGE, "the request is too large; send one at a time, with a small body or none"
                )
            )
        else:
            super().data_received(data)

    def eof_received(self) -> None:
        if self._welcome:
            super().eof_received()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._patience.cancel()
        if self._welcome:
            self._desk.crowd.leave(self._uid)
            super().connection_lost(exc)

    def understood(self) -> None:
        """A whole request has come."""
        self._patience.cancel()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to what is no request; `message` would quote it."""
        del message
        self._patience.cancel()
        if request.writer.output_size > 0:
            raise ConnectionError("an answer is under way already")
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            _log.error("connection_defect", exc_info=exc)
            refusal, status = Refusal(Code.INTERNAL, "a defect in the broker; its log says more"), 500
        elif isinstance(exc, LineTooLong):
            refusal, status = Refusal(Code.TOO_LARGE, "a line or header of the request is too long"), 431
        else:
            refusal = Refusal(Code.BAD_REQUEST, "the request is not understood; is it HTTP/1.1?")
        self._book(refusal, status)
        answer = response(refusal, status)
        answer.force_close()
        return answer

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Every answer leaves here; what the library refuses before an application sees it, too."""
        self._patience.cancel()
        if isinstance(resp, web.HTTPException):
            resp = answered(resp, "other")
            self._desk.meter.requested(self._doorway.label, "other", resp.status)
        resp.headers["Server"] = SERVER
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await super().finish_response(request, resp, start_time)
        except TimeoutError:
            self._abort()
            return resp, True
        finally:
            self._unanswered = 0

    def log_exception(self, *args: object, **kw: object) -> None:
        """What the library could not handle; a body that is packed wrongly is its sender's fault and no news."""
        error = kw.get("exc_info")
        if isinstance(error, web.RequestPayloadError):
            _log.debug("not_a_request", status=HTTPStatus.BAD_REQUEST.value)
        else:
            _log.error("connection_defect", exc_info=error, said=str(args[0]) if args else None)

    @property
    def _uid(self) -> int | None:
        return None if self.caller is None else self.caller.uid

    def _give_up(self) -> None:
        if self._heard:
            self._let_go(Refusal(Code.TIMEOUT, f"no whole request came within {REQUEST_SECONDS:.0f} s"))
        else:
            self.force_close()

    def _let_go(self, refusal: Refusal) -> None:
        """Say why, unless an answer is under way, and end; who does not read that gets no more time than for any answer."""
        self._patience.cancel()
        self._book(refusal, STATUS[refusal.code])
        if self.transport is not None and self._current_request is None:
            self.transport.write(plain(refusal))
        self.force_close()
        self._patience = self._loop.call_later(ANSWER_SECONDS, self._abort)

    def _abort(self) -> None:
        if isinstance(self._link, asyncio.Transport):
            self._link.abort()

    def _book(self, refusal: Refusal, status: int) -> None:
        """Count what no application sees."""
        if status < HTTPStatus.INTERNAL_SERVER_ERROR:
            self._note(refusal.code.value, "parser")
        self._desk.meter.requested(self._doorway.label, "other", status)
        _log.debug("not_a_request", status=status)

    def _note(self, reason: str, by: str) -> None:
        """Count it, and record it where tokens are served."""
        desk, doorway = self._desk, self._doorway
        desk.meter.refused(reason)
        if Serve.TOKENS in doorway.serve:
            desk.auditor.refused(self.caller, doorway.label, None, reason, by, desk.clock.now())
