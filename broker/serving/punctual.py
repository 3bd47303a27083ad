"""A connection that bounds the time, and the memory, that a request may take to arrive.

- A request must be whole within REQUEST_SECONDS of its first byte: its head, its body, and each further one on the same
  connection. Bytes that complete nothing buy no time. While another one is answered, the time of the next stands still.
- A connection on which nothing comes at first is closed after the same time; later ones may pause for KEEPALIVE_SECONDS.
- While requests wait, nothing is read: what else is sent stays with the kernel, and so with its sender.
- A head that fits no request is refused; the library would queue a megabyte of it. A body nobody reads stays small.
- What follows an offer to speak another protocol, or a CONNECT, is in that protocol for the parser: it would lose a head
  and take the body behind it for a request. So such a request is answered, and nothing is heard after it.
- What is refused here is answered as what the parser refuses, and ends the connection; nothing is heard after it.
"""

import asyncio
import contextlib

from aiohttp import EMPTY_PAYLOAD, hdrs, web
from aiohttp.http import RawRequestMessage
from aiohttp.web_protocol import _ErrInfo

from broker.core.errors import Code, Refusal

# For the reader of an answer, which is small.
ANSWER_SECONDS = 10.0
# Longer than any client pauses between two requests of one task.
KEEPALIVE_SECONDS = 75.0
REQUEST_SECONDS = 10.0
# For what is still sent after an answer, so that its sender hears why before the connection ends.
LINGERING_SECONDS = 1.0
# One line of it may have 8 KB.
MOST_OF_A_HEAD = 32 * 1024
# What is read at once; also of a body that nobody has read yet.
_AT_ONCE = 16 * 1024
_END = b"\r\n\r\n"


class Punctual(web.RequestHandler):
    """The library's handler with an eye on the time. Knows neither callers nor answers."""

    __slots__ = ("_alone", "_body", "_half", "_heard", "_over", "_patience", "_size")

    def __init__(self, manager: web.Server, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(
            manager,
            loop=loop,
            keepalive_timeout=KEEPALIVE_SECONDS,
            lingering_time=LINGERING_SECONDS,
            read_bufsize=_AT_ONCE,
            access_log=None,  # type: ignore[arg-type]
            auto_decompress=False,  # the one body that is read has a hundred bytes; nobody may have more unpacked
        )
        self._heard = False
        self._half = False  # part of a request has come
        self._size = 0  # bytes since the last whole one
        self._body = EMPTY_PAYLOAD  # of the request that came last
        self._over = False  # the last thing that was heard is refused
        self._patience: asyncio.TimerHandle | None = None
        self._alone: bytes | None = None  # all of the last request, if nothing came with it or since

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if self.transport is not None:
            self.transport.max_size = _AT_ONCE  # type: ignore[attr-defined]  # the library does not declare it
        self._wait()

    def data_received(self, data: bytes) -> None:
        if self._over:
            return
        if not self._heard:
            self._heard = True
            self._calm()
        self._feed(data)
        if len(self._messages) > 1:
            self._pause_reading_for_buffer()  # until the next of them is handled
        if not self._half:
            return
        if self._patience is None:
            self._wait()
        if self._size > MOST_OF_A_HEAD and self._body.is_eof():
            self._refuse(Refusal(Code.TOO_LARGE, "the head of the request is too large", by="size"))

    def connection_lost(self, exc: BaseException | None) -> None:
        self._calm()
        super().connection_lost(exc)

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """The library's; half a request that came meanwhile has its time from now on."""
        if request.content.exception() is not None:  # after a body that is late or broken nothing can begin
            resp.force_close()
        if _leads_elsewhere(request):
            resp.force_close()
            self._over = True
        try:
            return await super().finish_response(request, resp, start_time)
        finally:
            if self._half and self._patience is None:
                self._wait()

    async def linger(self) -> None:
        """Hear on for a moment: what is closed with bytes unread resets the connection, and its last answer is lost."""
        if self.transport is not None and self.transport.can_write_eof():
            with contextlib.suppress(OSError):  # it may have been reset meanwhile
                self.transport.write_eof()
        await asyncio.sleep(LINGERING_SECONDS)

    @property
    def idle(self) -> bool:
        """Whether it waits for a request of which nothing has come, and its last answer is out."""
        return (
            self._waiter is not None
            and not (self._messages or self._half or self._over or self._close or self._force_close)
            and self.transport is not None
            and not self.transport.is_closing()
        )

    @property
    def _whole(self) -> int:
        """How many requests have come to their end."""
        return self._request_count - (not self._body.is_eof())

    def _feed(self, data: bytes) -> None:
        """Have it parsed, and see whether it ends with a request, or half of one is left.

        No half of a head ends like a head, so that most often it is plain. Else the last byte is parsed by itself.
        """
        before = self._whole
        # The library waits for it: one that was taken out of the row may not have begun to be handled.
        waits = self._waiter is not None or self._request_count == 0
        new = bool(data) and waits and not (self._half or self._messages)
        if not data or data.endswith(_END):
            self._parse(data)
            # Behind a full row the library holds back what may be anything; without data it goes on with that.
            seen = bool(data) and len(self._messages) < self._max_msg_queue_size
            ended = seen and self._whole > before and self._body.is_eof()
        else:
            if len(data) > 1:
                self._parse(data[:-1])
            known = self._whole
            self._parse(data[-1:])
            ended = self._whole > known
        came = self._whole > before
        self._alone = data if new and ended and self._whole == before + 1 else None
        if came:
            self._calm()
            self._size = 0
        if came or data:
            self._half = not ended and not self._over
        self._size = self._size + len(data) if self._half else 0

    def _parse(self, data: bytes) -> None:
        if self._over:  # its parser must not be asked again
            return
        counted = self._request_count
        super().data_received(data)
        if self._request_count == counted:
            return
        if not self._body.is_eof():  # it never will be: what came instead is an error
            self._body.set_exception(web.RequestPayloadError("the body is broken"))
        last, self._body = self._messages[-1]
        self._over = not isinstance(last, RawRequestMessage)

    def _refuse(self, refusal: Refusal) -> None:
        """Have it answered when its turn comes, as the library has what its parser refuses."""
        self._calm()
        self._half, self._over = False, True
        self._messages.append((_ErrInfo(status=400, exc=refusal, message=""), EMPTY_PAYLOAD))
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _wait(self) -> None:
        self._patience = self._loop.call_later(REQUEST_SECONDS, self._give_up)

    def _calm(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _give_up(self) -> None:
        self._patience = None
        late = Refusal(Code.TIMEOUT, f"no whole request came within {REQUEST_SECONDS:.0f} s", by="time")
        if self._request_in_progress or self._messages:
            if not self._body.is_eof():
                self._body.set_exception(late)  # for the handler that reads it
            # Else it is half of the next one, which has its time after the answer.
        elif self._heard and self._body.is_eof():
            self._refuse(late)
        else:  # nothing has come, or the request was answered without its body
            self.force_close()


def _leads_elsewhere(request: web.BaseRequest) -> bool:
    """Whether what comes behind this request is not HTTP/1.1 for the parser, although we never agree to that."""
    return request.method == hdrs.METH_CONNECT or request._message.upgrade  # noqa: SLF001  (told nowhere else)
