"""S3 credentials of one kind, a region and a duration: a cache, one flight for all who ask, and a pause after failure.

- What is good is handed out whatever object storage does; what was made with a token that was found dead is not.
- A successor is made before the end, and only when somebody asks: behind the callers' backs at first, then they wait, see
  `core.s3`. It is also made when the token is another user's, project's or key's by now, or has other roles.
- A flight is nobody's: a caller that leaves cancels nothing, and each has its own deadline (L3).
- A refused token is validated, once for all within a window of reports (L9), and is never replaced for the refusal alone,
  which may be for want of a role.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

import structlog

from broker.core import s3
from broker.core.errors import CODE_OF_FAULT, Code, Fault, IamError, Refusal
from broker.core.model import Held
from broker.core.ports import Clock, Exchange
from broker.core.reports import Outcome, Reaction
from broker.core.s3 import S3Reply, Wish
from broker.keeper.keeper import Keeper
from broker.keeper.reporting import report
from broker.keeper.s3_held import Origin, S3Held

_log = structlog.get_logger()

# A caller for whom there are good credentials waits for better ones no longer than SDKs do.
PATIENCE = 1.5  # seconds
_TOKEN_SECONDS = 1.0
_VERDICT_SECONDS = 3.0

# None: object storage may be asked; else why not.
Start = Callable[[], Refusal | None]


@dataclass(frozen=True, slots=True)
class _Failure:
    refusal: Refusal
    count: int  # in a row
    until: float  # on the broker's clock: so long object storage is left alone
    digest: str | None  # of the token, where it was that which was refused


class _Need(Enum):
    NOTHING = auto()
    SOON = auto()
    NOW = auto()


class S3Line:
    """Belongs to one event loop."""

    def __init__(
        self,
        keeper: Keeper,
        exchange: Exchange,
        clock: Clock,
        wish: Wish,
        told: Callable[[IamError | None], None],
    ) -> None:
        """`told` hears of each answer: the fault, or that there was none."""
        self._keeper = keeper
        self._exchange = exchange
        self._clock = clock
        self._wish = wish
        self._told = told
        self._held: S3Held | None = None
        self._failed: _Failure | None = None
        self._flight: asyncio.Task[None] | None = None
        self._asked_with = ""  # digest of the last token that was sent
        self._callers = 0  # in `keys`

    @property
    def busy(self) -> bool:
        """Whether somebody waits for it, or object storage is being asked."""
        return self._callers > 0 or self._flight is not None

    @property
    def lifetime(self) -> float | None:
        """Seconds, of what is held."""
        return None if self._held is None else self._held.life.lifetime

    async def keys(self, until: float, start: Start) -> S3Held:
        """Good credentials, waited for until the clock reads `until`. Raises Refusal.

        `start` is asked before object storage is.
        """
        self._callers += 1
        try:
            return await self._good(until, start)
        finally:
            self._callers -= 1

    async def aclose(self) -> None:
        """End what is under way and wait for its end."""
        if self._flight is not None:
            self._flight.cancel()
            await asyncio.gather(self._flight, return_exceptions=True)

    async def _good(self, until: float, start: Start) -> S3Held:
        content = min(until, self._clock.now() + PATIENCE)
        while True:
            until = min(until, self._keeper.closing_at)
            token = await self._keeper.token(until)
            now = self._clock.now()
            held = self._usable(now)
            need = self._need(held, token, now)
            refusal = None if need is _Need.NOTHING else self._fly(now, token, start)
            if held is not None and (need is not _Need.NOW or refusal is not None or now >= content):
                return held
            if refusal is not None:
                raise refusal
            if now >= until or self._flight is None:
                raise Refusal(Code.IAM_UNAVAILABLE, "object storage has not answered yet; ask again", 1.0)
            await self._clock.wait(self._flight, until if held is None else content)

    def _usable(self, now: float) -> S3Held | None:
        """What may be handed out; what may not is let go."""
        held = self._held
        if held is not None and (self._is_dead(held.origin.digest) or not held.life.usable(now)):
            self._held = None
        return self._held

    def _is_dead(self, digest: str) -> bool:
        return digest in self._keeper.lease.rejected

    def _need(self, held: S3Held | None, token: Held, now: float) -> _Need:
        if held is None or not held.origin.alike(self._origin(token)):
            return _Need.NOW
        worth = held.life.successor_is_worth_it(now, token.span.deadline)
        if now < held.life.due_at or not worth:
            return _Need.NOTHING
        return _Need.SOON if now < held.life.wanted_at else _Need.NOW

    def _fly(self, now: float, token: Held, start: Start) -> Refusal | None:
        """Have a flight under way; why there is none otherwise."""
        if self._flight is not None:
            return None
        failed = self._failed
        # What was refused for one token may be given for its successor.
        if failed is not None and now < failed.until and failed.digest in {None, token.token.digest}:
            return Refusal(failed.refusal.code, failed.refusal.detail, failed.until - now)
        if (refusal := start()) is not None:
            return refusal
        self._flight = asyncio.create_task(self._go())
        return None

    async def _go(self) -> None:
        try:
            self._land(*await self._bought())
        except IamError as error:
            self._told(error)
            rejected = error.fault is Fault.REJECTED
            # A refused token does not say that the key is dead: a role may be missing.
            code = Code.IAM_UNAVAILABLE if rejected else CODE_OF_FAULT[error.fault]
            self._fail(Refusal(code, error.detail), error.retry_after, self._asked_with if rejected else None)
        except Refusal as refusal:  # there is no token
            self._fail(refusal)
        except Exception:  # noqa: BLE001
            # A defect must pause like any failure, or its waiters would start flight after flight.
            _log.exception("s3_defect", identity=self._keeper.lease.identity)
            self._fail(Refusal(Code.IAM_UNAVAILABLE, "a defect in the broker; its log says more"))
        finally:
            self._flight = None

    async def _bought(self) -> tuple[Origin, S3Reply]:
        try:
            return await self._ask()
        except IamError as error:
            if error.fault is not Fault.REJECTED or not await self._is_replaced(self._asked_with):
                raise
        return await self._ask()

    async def _ask(self) -> tuple[Origin, S3Reply]:
        origin = self._origin(await self._keeper.token(self._clock.now() + _TOKEN_SECONDS))
        self._asked_with = origin.digest
        return origin, await self._exchange.s3_keys(origin.token.token, self._wish)

    async def _is_replaced(self, digest: str) -> bool:
        """Whether the token of this SHA-256, which was refused, is dead and has a successor."""
        until = self._clock.now() + _VERDICT_SECONDS
        outcome = await report(self._keeper, digest, until, lambda reaction: reaction is Reaction.VALIDATE)
        return outcome in {Outcome.REPLACED, Outcome.SUPERSEDED}

    def _land(self, origin: Origin, reply: S3Reply) -> None:
        now, life = self._clock.now(), s3.life(reply, origin.token.span.deadline)
        if not life.usable(now):
            raise IamError(
                Fault.UNAVAILABLE,
                "object storage's answer took longer than its credentials live; the network is too slow",
            )
        self._held, self._failed = S3Held(reply.keys, life, origin), None
        self._told(None)

    def _fail(self, refusal: Refusal, retry_after: float | None = None, digest: str | None = None) -> None:
        count = 1 if self._failed is None else self._failed.count + 1
        pause = s3.pause(count, self.lifetime, retry_after)
        self._failed = _Failure(refusal, count, self._clock.now() + pause, digest)

    def _origin(self, token: Held) -> Origin:
        return Origin(token, self._keeper.lease.watch.key)
