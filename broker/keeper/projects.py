"""The project list of one identity: a flight, a cache and a limit of its own, so that it can never hold up an issue (L3).

A list is kept for a minute; after a failure IAM is left alone for a while, and whoever asks hears the reason.
"""

import asyncio
from dataclasses import dataclass

import structlog

from broker.core.errors import CODE_OF_FAULT, Code, Fault, IamError, Refusal
from broker.core.model import Row
from broker.core.ports import Clock, Issuer
from broker.keeper.keeper import Keeper

_log = structlog.get_logger()

FRESH_SECONDS = 60.0
PAUSE_SECONDS = 10.0
# A list goes on for its reader's time at most; the issuer bounds the flight itself.
_TOKEN_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class _Listed:
    user_id: str
    rows: tuple[Row, ...]
    at: float


class Projects:
    """Lists the projects of a keeper's identity. Belongs to one event loop."""

    def __init__(self, keeper: Keeper, issuer: Issuer, clock: Clock) -> None:
        self._keeper = keeper
        self._issuer = issuer
        self._clock = clock
        self._listed: _Listed | None = None
        self._failed: tuple[Refusal, float] | None = None  # and when
        self._flight: asyncio.Task[None] | None = None

    async def rows(self, until: float) -> tuple[Row, ...]:
        """The list, waited for until the clock reads `until`. Raises Refusal."""
        held = await self._keeper.token(until)
        while True:
            now = self._clock.now()
            if (rows := self._kept(held.token.user.id, now)) is not None:
                return rows
            if self._failed and now < self._failed[1] + PAUSE_SECONDS:
                refusal, at = self._failed
                raise Refusal(refusal.code, refusal.detail, at + PAUSE_SECONDS - now)
            if now >= until:
                raise Refusal(Code.IAM_UNAVAILABLE, "IAM has not answered yet; ask again", 1.0)
            if self._flight is None:
                self._flight = asyncio.create_task(self._fly())
            await self._clock.wait(self._flight, until)

    async def aclose(self) -> None:
        """End what is under way and wait for its end."""
        if self._flight is not None:
            self._flight.cancel()
            await asyncio.gather(self._flight, return_exceptions=True)

    def _kept(self, user_id: str, now: float) -> tuple[Row, ...] | None:
        listed = self._listed
        fresh = listed is not None and listed.user_id == user_id and now < listed.at + FRESH_SECONDS
        return listed.rows if listed is not None and fresh else None

    async def _fly(self) -> None:
        try:
            held = await self._keeper.token(self._clock.now() + _TOKEN_SECONDS)
            rows = await self._issuer.projects(held.token)
            self._listed, self._failed = _Listed(held.token.user.id, rows, self._clock.now()), None
        except IamError as error:
            # A refused list does not say that the key is dead: access rules may forbid just this.
            code = Code.IAM_UNAVAILABLE if error.fault is Fault.REJECTED else CODE_OF_FAULT[error.fault]
            self._failed = Refusal(code, error.detail), self._clock.now()
        except Refusal as refusal:
            self._failed = refusal, self._clock.now()
        except Exception:  # noqa: BLE001
            # A defect must pause like any failure, or its waiters would start flight after flight.
            _log.exception("projects_defect", identity=self._keeper.lease.identity)
            defect = Refusal(Code.IAM_UNAVAILABLE, "a defect in the broker; its log says more")
            self._failed = defect, self._clock.now()
        finally:
            self._flight = None
