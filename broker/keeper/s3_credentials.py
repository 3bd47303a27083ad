"""The S3 credentials of one identity, by region and duration: with flights, caches and a limit of their own (L3).

- All is bounded: MOST kinds are kept, the one that was asked for longest ago goes first; object storage is asked BURST times
  at once, then once in EVERY seconds, or as often as credentials of seconds need.
- The usual kind, of the settings, is for everybody. Any other is a caller's own wish: who asks for many of them uses up its
  own share, and takes neither a place nor the last requests from the usual one.
"""

import asyncio
from collections.abc import Callable

import structlog

from broker.core.budget import Bucket
from broker.core.errors import Code, Fault, IamError, Refusal
from broker.core.ports import Clock, Exchange
from broker.core.s3 import Wish
from broker.keeper.keeper import Keeper
from broker.keeper.s3_held import S3Held
from broker.keeper.s3_line import S3Line

_log = structlog.get_logger()

MOST = 16
BURST = 10
RESERVE = 3  # of these, for the usual kind
EVERY = 10.0
_OFTEN = 8  # times in one life, where that is short
_NOWHERE = (
    "this identity's IAM is not KakaoCloud's own, and nobody has told which object storage takes its tokens; "
    "name it as [s3] url in the broker's settings, or as s3_url of the identity"
)


class S3Credentials:
    """Belongs to one event loop."""

    def __init__(self, keeper: Keeper, exchange: Exchange | None, clock: Clock, usual: Wish) -> None:
        """`exchange` is None where the identity's tokens may go to no object storage."""
        self._keeper = keeper
        self._exchange = exchange
        self._clock = clock
        self._usual = usual
        self._lines: dict[Wish, S3Line] = {}  # in the order of their last use
        self._bucket = Bucket.full(BURST, clock.now())
        self._every = EVERY
        self._fault: Fault | None = None  # of the usual kind, as it was told last

    def wish(self, region: str | None, duration: int | None) -> Wish:
        """What these words of a caller mean; None is the usual. Raises Refusal."""
        usual = self._usual
        if self._exchange is None:
            raise Refusal(Code.NOT_FOUND, _NOWHERE)
        if region is not None and not self._exchange.has(region):
            detail = f"the region is none that this broker may ask; leave it out for {usual.region}"
            raise Refusal(Code.NOT_FOUND, detail)
        return Wish(region or usual.region, duration or usual.duration)

    async def keys(self, wish: Wish, until: float, pace: Callable[[], float]) -> S3Held:
        """Good credentials of this kind, waited for until the clock reads `until`. Raises Refusal.

        `pace` takes one from the caller's share, or says in how many seconds there will be one.
        """
        line = self._line(wish)
        held = await line.keys(until, lambda: self._start(wish, pace))
        self._every = min(EVERY, held.life.lifetime / _OFTEN)
        return held

    async def aclose(self) -> None:
        """End what is under way and wait for its end."""
        await asyncio.gather(*(line.aclose() for line in self._lines.values()))

    def _line(self, wish: Wish) -> S3Line:
        line = self._lines.pop(wish, None)
        if line is None:
            if self._exchange is None:
                raise Refusal(Code.NOT_FOUND, _NOWHERE)
            self._make_room(wish)
            line = S3Line(
                self._keeper, self._exchange, self._clock, wish, lambda error: self._tell(wish, error)
            )
        self._lines[wish] = line
        return line

    def _make_room(self, wish: Wish) -> None:
        others = [each for each in self._lines if each != self._usual]
        if wish == self._usual or len(others) < MOST:
            return
        idle = next((each for each in others if not self._lines[each].busy), None)
        if idle is None:
            raise Refusal(Code.IAM_THROTTLED, "too many kinds of S3 credentials at once; ask again", 1.0)
        del self._lines[idle]

    def _start(self, wish: Wish, pace: Callable[[], float]) -> Refusal | None:
        now = self._clock.now()
        spare = 0 if wish == self._usual else RESERVE
        wait = self._bucket.ready_at(now, self._every, spare) - now
        why = "object storage has been asked often for this identity"
        if wait <= 0 and wish != self._usual:
            wait = pace()
            why = "this user has asked for many regions and durations"
        if wait > 0:
            return Refusal(Code.IAM_THROTTLED, f"{why}; ask again later", wait)
        self._bucket = self._bucket.taken(now, self._every)
        return None

    def _tell(self, wish: Wish, error: IamError | None) -> None:
        """A change of the usual kind is told once; a caller's own wish is no trouble of the broker's."""
        if wish != self._usual:
            return
        fault = None if error is None else error.fault
        if fault is self._fault:
            return
        self._fault = fault
        log = _log.bind(identity=self._keeper.lease.identity)
        if error is None:
            log.info("s3_resumed")
        else:
            log.warning("s3_failed", fault=error.fault.value, detail=error.detail)
