"""What is known of the access keys themselves: when they end, and what makes them risky.

- A key's end is told by the token's body, else by IAM when it is asked about the key, else by the configuration.
- IAM is asked about a key once a day, by a token of it, and only out of what validations leave of their budget.
- Warnings: at 30, 7 and 1 days before the end, each once; risks once for each key.
"""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from broker.core.errors import Fault, IamError
from broker.core.keys import Keys
from broker.core.model import KeyFacts, Token
from broker.core.ports import Clock, Issuer

_log = structlog.get_logger()

EVERY = 86400.0  # seconds between two questions about one key
_AGAIN = 600.0  # where IAM could not be asked
DAYS = (30, 7, 1)
_DAY = 86400.0
_MOST = 8  # keys that are remembered; an identity has four at most at one time
_GRAVE = {"unrestricted", "admin_role"}
_ADMIN = re.compile(r"admin|owner", re.IGNORECASE)


@dataclass(slots=True)
class _Known:
    """One key, by its ref."""

    token: Token  # the latest that it brought
    ask_at: float = 0.0
    facts: KeyFacts | None = None
    warned: int | None = None  # the threshold in days that was told last
    risks: tuple[str, ...] | None = None  # as they were told


class Health:
    """Belongs to one event loop."""

    def __init__(self, identity: str, issuer: Issuer, clock: Clock, spend: Callable[[], bool]) -> None:
        """`spend` takes one question out of the budget, if there is one left."""
        self._identity = identity
        self._issuer = issuer
        self._clock = clock
        self._spend = spend
        self._known: dict[str, _Known] = {}
        self._flight: asyncio.Task[None] | None = None

    def seen(self, ref: str, token: Token) -> None:
        """A key has brought a token, or a token of its was restored."""
        known = self._known.pop(ref, None) or _Known(token)
        known.token = token
        self._known[ref] = known
        while len(self._known) > _MOST:
            del self._known[next(iter(self._known))]

    def forget(self, known: Keys) -> None:
        """Hold no token of a key that no lease speaks of."""
        left = {record.ref for record in known}
        self._known = {ref: found for ref, found in self._known.items() if ref in left}

    def ask(self, ref: str) -> None:
        """Ask IAM about the key of this ref, if it has not been for a day."""
        known, now = self._known.get(ref), self._clock.now()
        if known is None or self._flight is not None or known.token.key_id is None:
            return
        if now >= known.ask_at and self._spend():
            known.ask_at = now + EVERY
            self._flight = asyncio.create_task(self._fly(known))

    def end(self, ref: str, configured: datetime | None) -> datetime | None:
        """When the key of this ref ends; None: it does not, or nobody tells."""
        known = self._known.get(ref)
        told = known and (known.token.key_expires_at or (known.facts and known.facts.expires_at))
        return instant(told) if told else configured

    def risks(self, ref: str, configured: datetime | None) -> tuple[str, ...]:
        """What makes this key more dangerous in wrong hands than it need be, in words for a status."""
        known = self._known.get(ref)
        return () if known is None else tuple(_risks(known, self.end(ref, configured)))

    def tell(self, ref: str, place: str, configured: datetime | None) -> None:
        """Warn of what is to be warned of, each once."""
        known = self._known.get(ref)
        if known is None:
            return
        self._tell_end(known, place, self.end(ref, configured))
        # Before IAM was asked, a key without an end cannot be told from one whose end is not known.
        asked = known.token.key_id is None or (known.ask_at > 0 and self._flight is None)
        if asked and (risks := self.risks(ref, configured)) != known.risks:
            known.risks = risks
            if risks:
                tell = _log.warning if _GRAVE & set(risks) else _log.info
                tell("key_risky", identity=self._identity, key=place, risks=risks)

    async def aclose(self) -> None:
        """End what is under way and wait for its end."""
        if self._flight is not None:
            self._flight.cancel()
            await asyncio.gather(self._flight, return_exceptions=True)

    def _tell_end(self, known: _Known, place: str, end: datetime | None) -> None:
        left = None if end is None else (end - self._clock.wall()).total_seconds()
        days = None if left is None else min((days for days in DAYS if left < days * _DAY), default=None)
        if days == known.warned:
            return
        if days is not None and (known.warned is None or days < known.warned):
            _log.warning(
                "key_expires_soon",
                identity=self._identity,
                key=place,
                expires_at=None if end is None else end.strftime("%Y-%m-%dT%H:%M:%SZ"),
                days_left=round(max(0.0, left or 0.0) / _DAY, 1),
                detail="create a new access key and put it in this one's place; the broker picks it up by itself",
            )
        known.warned = days

    async def _fly(self, known: _Known) -> None:
        try:
            known.facts = await self._issuer.key_facts(known.token)
        except IamError as error:
            _log.debug("key_not_told", identity=self._identity, detail=error.detail)
            if error.fault not in {Fault.REJECTED, Fault.PROTOCOL}:
                known.ask_at = self._clock.now() + _AGAIN
        except Exception:  # noqa: BLE001
            # What cannot be told of a key must not cost its tokens.
            _log.exception("health_defect", identity=self._identity)
        finally:
            self._flight = None


def instant(text: str) -> datetime:
    """A time as Keystone writes it; without an offset it is UTC."""
    when = datetime.fromisoformat(text)
    return when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)


def soon(end: datetime | None, wall: datetime) -> bool:
    """Whether a key ends so soon that its successor should be made now."""
    return end is not None and (end - wall).total_seconds() < DAYS[0] * _DAY


def _risks(known: _Known, end: datetime | None) -> list[str]:
    token, facts = known.token, known.facts
    restricted = token.restricted if token.restricted is not None else facts and facts.restricted
    rules = token.access_rules or (facts is not None and facts.access_rules)
    found = {
        "unrestricted": restricted is False,
        "admin_role": any(_ADMIN.search(role.name) for role in token.roles),
        "no_expiry": facts is not None and end is None,
        "no_access_rules": facts is not None and not rules,
    }
    return [risk for risk, there in found.items() if there]
