"""Asking IAM, with every end made into an event: a defect too, or a state would stick (L11)."""

from collections.abc import Callable
from datetime import datetime

import structlog

from broker.core import timing
from broker.core.errors import Fault, IamError
from broker.core.events import Alive, Failed, Issued, Unchecked
from broker.core.model import AccessKey, Held, Reply, Token
from broker.core.ports import Issuer
from broker.core.timing import Phase
from broker.core.trouble import Failure
from broker.core.watch import Method
from broker.keeper.setting import Setting

_log = structlog.get_logger()


class Flights:
    """The requests of one identity."""

    def __init__(
        self, identity: str, issuer: Issuer, setting: Setting, on_date: Callable[[datetime], None]
    ) -> None:
        """`on_date` hears of IAM's clock whenever an answer tells it."""
        self._identity = identity
        self._issuer = issuer
        self._setting = setting
        self._on_date = on_date

    async def issue(self, generation: int, key: AccessKey) -> Issued | Failed:
        """Ask for a token with the key of this generation."""
        try:
            reply = await self._issuer.issue(key)
            return self._landed(generation, reply)
        except IamError as error:
            return Failed(generation, self._failure(error))
        except Exception as error:  # noqa: BLE001
            return Failed(generation, self._defect(error))

    async def validate(self, token: Token, by: Method) -> Alive | Unchecked:
        """Ask whether the token lives."""
        try:
            roles = await self._roles(token, by)
        except IamError as error:
            return Unchecked(token.digest, by, self._failure(error), error.forbidden)
        except Exception as error:  # noqa: BLE001
            return Unchecked(token.digest, by, self._defect(error))
        return Alive(self._setting.clock.now(), token.digest, by, roles, self._setting.jitter())

    def held(self, reply: Reply) -> Held:
        """A token with the phases of its life on this host."""
        draw = timing.draw(self._setting.host, self._identity, reply.token.digest)
        return Held(reply.token, timing.span(reply.sent_at, reply.lifetime, draw, self._setting.refresh))

    def _landed(self, generation: int, reply: Reply) -> Issued:
        if reply.date is not None:
            self._on_date(reply.date)
        now, held = self._setting.clock.now(), self.held(reply)
        if held.span.phase(now) is Phase.EXPIRED:
            raise IamError(
                Fault.UNAVAILABLE, "IAM's answer took longer than the token lives; the network is too slow"
            )
        return Issued(now, generation, held, self._setting.jitter())

    async def _roles(self, token: Token, by: Method) -> frozenset[str] | None:
        if by is Method.PROJECTS:
            await self._issuer.projects(token)
            return None
        validity = await self._issuer.validate(token)
        if validity.date is not None:
            self._on_date(validity.date)
        return validity.roles

    def _failure(self, error: IamError) -> Failure:
        now, draw = self._setting.clock.now(), self._setting.jitter()
        return Failure(now, error.fault, error.detail, error.retry_after, draw)

    def _defect(self, error: Exception) -> Failure:
        _log.error("flight_defect", identity=self._identity, exc_info=error)
        kind = type(error).__name__
        return self._failure(IamError(Fault.PROTOCOL, f"a defect in the broker ({kind}); see its log"))
