"""One connection of a caller who was admitted: the library's own handler, with limits, and refusals in our words.

- In what time and size a request must arrive is for `punctual`.
- Whoever does not read is let go after ANSWER_SECONDS. Until then no other answer is made for it: one is out when the
  kernel has all of it, so nothing is ever left to be sent when a connection ends.
- What was just allowed may be remembered for the express lane, if it was all that came; then the connection goes back there.
- The library answers what it cannot parse by quoting it in plain text, and logs a traceback for each, as for a body that
  is packed wrongly: any local user could fill the log. Here that is a problem like any other, told as rarely as any.
"""

import asyncio
import os
import socket
from collections.abc import Callable
from http import HTTPStatus

import structlog
from aiohttp import HttpVersion11, web
from aiohttp.http_exceptions import LineTooLong

from broker.core.access import Workload
from broker.core.errors import Code, Refusal
from broker.serving.context import DESK, Desk
from broker.serving.doorway import DOORWAY
from broker.serving.problem import SERVER, STATUS, answered, known, response
from broker.serving.punctual import ANSWER_SECONDS, Punctual
from broker.serving.remembered import HANDED_OUT, written
from broker.serving.row import Rank, User
from broker.serving.throttle import Peer
from broker.serving.turned_away import NO_ROUTE, turned_away

_log = structlog.get_logger()

# Gives a connection back to the lane: its socket, which is a new descriptor of the same, and whose it is.
Back = Callable[["Connection", socket.socket], None]

# Of an answer that somebody counts: called once it is out, or is not to be sent any more.
ONCE_OUT: web.ResponseKey[Callable[[], None]] = web.ResponseKey("once_out")


class Connection(Punctual):
    """A connection of one proven caller."""

    __slots__ = (
        "_back", "_came", "_desk", "_doorway", "_erred", "_link", "caller", "given", "peer", "used", "user",
    )  # fmt: skip

    def __init__(
        self,
        manager: web.Server,
        app: web.Application,
        loop: asyncio.AbstractEventLoop,
        caller: Workload | None,
        user: User,
        peer: Peer,
        came: bytes = b"",
        back: Back | None = None,
    ) -> None:
        """`came` was read on it already; `back` is where it may go once its request is remembered."""
        super().__init__(manager, loop)
        self._desk: Desk = app[DESK]
        self._doorway = app[DOORWAY]
        self._erred = False
        self._link: asyncio.Transport | None = None
        self.caller = caller
        self.user = user
        self.peer = peer
        self.given: str | None = None  # the SHA-256 of the token that the facade gave last over it
        self.used = False  # the crowd is told by `understood`
        self._came = came
        self._back = back

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._link = self.transport  # which the library forgets when it closes
        if self._link is not None:
            self._link.set_write_buffer_limits(high=0)
        came, self._came = self._came, b""
        if came:
            self.data_received(came)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._link = None
        self._desk.crowd.leave(self)
        super().connection_lost(exc)

    async def turn(self) -> None:
        """Wait until this caller may be answered, which only strangers have to. Until then the connection is idle."""
        if self.user.rank is Rank.STRANGER:
            await self._desk.throttle.turn(self.peer, self._desk.clock)

    def understood(self) -> None:
        """A request is about to be handled."""
        self._desk.crowd.works(self)

    def make_room(self) -> None:
        """Another caller needs the place."""
        turned_away(self._desk, self._doorway, self.caller, "too_many_connections", "crowd")
        self._abort()

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
        self._erred = True
        request._version = HttpVersion11  # noqa: SLF001  (the library takes what it cannot parse for HTTP/1.0)
        if isinstance(exc, Refusal):
            refusal, status = exc, STATUS[exc.code]
        elif status >= HTTPStatus.INTERNAL_SERVER_ERROR:
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
        alone = self._alone  # what comes while this answer leaves is another request
        self._desk.crowd.rests(self)
        if isinstance(resp, web.HTTPException):
            refusal, resp = known(resp), answered(resp, NO_ROUTE)
            self._book(refusal, resp.status)
            resp.force_close()  # it has not waited for a stranger's turn, so the next must not follow at once
        resp.headers["Server"] = SERVER
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                finished = await super().finish_response(request, resp, start_time)
                if self._erred or request.content.exception() is not None:
                    await self.linger()
                elif not finished[1]:
                    self._remember(request, resp, alone)
                return finished
        except TimeoutError:
            self._abort()
            return resp, True
        finally:
            if (once_out := resp.get(ONCE_OUT)) is not None:
                once_out()

    def log_exception(self, *args: object, **kw: object) -> None:
        """What the library could not handle; a body that is packed wrongly, or does not come, is its sender's fault."""
        error = kw.get("exc_info")
        if isinstance(error, web.RequestPayloadError | Refusal):
            _log.debug("not_a_request", status=HTTPStatus.BAD_REQUEST.value)
        else:
            _log.error("connection_defect", exc_info=error, said=str(args[0]) if args else None)

    def _remember(self, request: web.BaseRequest, response: web.StreamResponse, alone: bytes | None) -> None:
        it = response.get(HANDED_OUT)
        if self._back is None or it is None or alone != written(request) or it.caller is not self.caller:
            return
        if self._desk.allowed.remember(alone, it, response) and response.keep_alive:
            # Two turns of the loop, until the library waits for the next request.
            self._loop.call_soon(self._loop.call_soon, self._go_back)

    def _go_back(self) -> None:
        """To the lane, if nothing has come here meanwhile. A copy of the descriptor outlives the library's transport."""
        if self._back is None or not self.idle or self._link is None or self._link.get_write_buffer_size():
            return
        try:
            copy = socket.socket(fileno=os.dup(self._link.get_extra_info("socket").fileno()))
        except OSError:  # without a free descriptor it stays here
            return
        self._desk.crowd.leave(self)
        self._link.abort()
        self._back(self, copy)

    def _abort(self) -> None:
        if self._link is not None:
            self._link.abort()

    def _book(self, refusal: Refusal | None, status: int) -> None:
        """Count what no application sees."""
        if refusal is not None and status < HTTPStatus.INTERNAL_SERVER_ERROR:
            by = refusal.by or "parser"
            turned_away(self._desk, self._doorway, self.caller, refusal.code.value, by)
        self._desk.meter.requested(self._doorway.label, NO_ROUTE, status)
