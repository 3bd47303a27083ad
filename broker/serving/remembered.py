"""An answer of the full path that may be given again: to the same bytes, from a caller of the same evidence.

- Only what depends on nothing else may be: a GET of a token with the query `format` alone, without a body, a preference or a
  condition. See `plain`.
- It is good while the lease is in one phase, so that `stale` stays right, and never at or after the token's deadline.
- It is rendered anew when the second turns, on the broker's clock for `expires_in` or on the wall's for `Date`, by what
  renders it for the full path. One comparison with `until` covers all of that at each request.
- What was handed out is counted in an integer, and told to metrics and audit later, see `allowed`.
"""

import math
from dataclasses import dataclass
from email.utils import format_datetime

from aiohttp import HttpVersion11, hdrs, web

from broker.core.access import Workload
from broker.core.model import Held
from broker.core.ports import Clock
from broker.serving import answers
from broker.serving.books import Auditor, Meter

_FORMS = frozenset({"", "format=text", "format=json"})
# Here an answer depends on more than its bytes, or the request has more than a head, or is no HTTP behind it.
_PARTICULAR = frozenset({
    "prefer", "expect", "range", "upgrade", "content-length", "content-encoding", "transfer-encoding", "te", "trailer",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class HandedOut:
    """What the full path has just allowed and answered."""

    caller: Workload
    identity: str
    by: str  # the rule that allowed it
    held: Held
    stale: bool
    bare: bool  # the token alone, not JSON
    route: str
    until: float  # on the broker's clock: when the phase ends
    as_of: int  # how many changes had been, see `allowed`


HANDED_OUT = web.ResponseKey("handed_out", HandedOut)


class Remembered:
    """The answer to one request of one kind of caller. It has the token in the clear, as it goes out."""

    __slots__ = ("_clock", "_end", "_head", "_it", "caller", "last", "rendered", "times", "until")

    def __init__(self, it: HandedOut, response: web.StreamResponse, clock: Clock) -> None:
        """`response` is the one that was sent, with all its headers."""
        self._it = it
        self._head = _head(response)
        self._clock = clock
        self._end = min(it.until, it.held.span.deadline)
        self.last = not response.keep_alive  # the connection ends with it
        self.rendered = b""
        self.until = -math.inf  # from when on `rendered` may not be sent
        self.times = 0  # that are not told yet
        self.caller: Workload | None = None  # of the last time: each process has a pid of its own

    @property
    def identity(self) -> str:
        """Whose token it is."""
        return self._it.identity

    def over(self, now: float) -> bool:
        """Whether it may be given no more."""
        return now >= self._end

    def renew(self, now: float) -> bool:
        """Render it for this moment. False: it may be given no more."""
        if self.over(now):
            self.forget()
            return False
        it, wall = self._it, self._clock.wall()
        left = it.held.span.deadline - now
        body = answers.body(it.identity, it.held, now, stale=it.stale, bare=it.bare).encode()
        date = format_datetime(wall, usegmt=True).encode()
        self.rendered = self._head % {b"length": len(body), b"date": date} + body
        self.until = min(self._end, now + left % 1, now + 1 - wall.microsecond / 1e6)
        return True

    def forget(self) -> None:
        """It may be given no more, from now on."""
        self.rendered, self.until, self._end = b"", -math.inf, -math.inf

    def tell(self, meter: Meter, auditor: Auditor, now: float) -> None:
        """Tell what was handed out since it was last told."""
        it, times = self._it, self.times
        if times:
            self.times = 0
            meter.requested(it.caller.listener, it.route, 200, times)
            meter.served(it.identity, it.caller.listener, times)
            life = max(0.0, it.held.span.deadline - now)  # the machine may have slept since
            auditor.handed(
                self.caller or it.caller, it.identity, it.by, it.held.token.digest, life, now, times
            )


def plain(request: web.Request) -> bool:
    """Whether nothing but its caller, its bytes and the lease decides what it is answered."""
    names = {name.lower() for name in request.headers}
    return (
        request.method == hdrs.METH_GET
        and request.version == HttpVersion11
        and request.query_string in _FORMS
        and not names & _PARTICULAR
        and not any(name.startswith("if-") for name in names)
    )


def written(request: web.BaseRequest) -> bytes:
    """The bytes of a request without a body, as all programs write one: so that none is remembered for another's answer."""
    message = request._message  # noqa: SLF001  (the headers as they came are told nowhere else)
    first = f"{message.method} {message.path} HTTP/1.1".encode(errors="surrogateescape")
    return b"\r\n".join([first, *(name + b": " + value for name, value in message.raw_headers), b"", b""])


def _head(response: web.StreamResponse) -> bytes:
    """What was sent before the body, with the names of what changes by the second in their places."""
    changing: dict[str, str] = {hdrs.CONTENT_LENGTH: "%(length)d", hdrs.DATE: "%(date)b"}
    lines = [f"HTTP/1.1 {response.status} {response.reason}"]
    for name, value in response.headers.items():
        lines.append(f"{name}: {changing.get(name) or value.replace('%', '%%')}")
    return "\r\n".join([*lines, "", ""]).encode()
