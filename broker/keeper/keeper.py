"""The keeper of one identity: the thin shell that turns the lease's decisions into flights and its changes into news.

- It is driven from outside: a tick and every request call `observe`; nothing here sleeps in a loop.
- An issue flies in a task that the keeper owns, so a waiter that leaves cancels nothing (L3); each waiter has its own
  deadline.
- Whatever a flight ends with, even a defect, becomes an event, so that no state can stick (L11).
- Every change of the lease goes through `_become`, where observers hang; nobody polls for change.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

import structlog

from broker.core import budget, lease, timing
from broker.core.budget import Bucket
from broker.core.errors import CODE_OF_FAULT, Code, ConfigError, Fault, IamError, Refusal
from broker.core.events import Event, Expired, Failed, Issued, KeyChanged, Started
from broker.core.lease import Action, Lease
from broker.core.model import AccessKey, Held, Reply
from broker.core.ports import Clock, Issuer, KeySource
from broker.core.timing import Phase

_log = structlog.get_logger()


class Observer(Protocol):
    """Hears of every change of a lease, after it happened."""

    def __call__(self, before: Lease, after: Lease, now: float) -> None: ...


class Allowance:
    """What all identities together may ask of IAM (L6)."""

    def __init__(self, now: float) -> None:
        self._bucket = Bucket.full(budget.TOTAL_BURST, now)

    def ready_at(self, now: float, kept: Lease) -> float:
        """The moment from which one more request may leave for this lease.

        Who has failed and holds nothing leaves a reserve to those who still have a token to renew in time.
        """
        hopeless = kept.held is None and kept.trouble is not None and kept.trouble.count > 0
        spare = budget.TOTAL_RESERVE if hopeless else 0
        return self._bucket.ready_at(now, budget.TOTAL_EVERY, spare)

    def spend(self, now: float) -> None:
        self._bucket = self._bucket.taken(now, budget.TOTAL_EVERY)


@dataclass(frozen=True, slots=True)
class Setting:
    """What all keepers share."""

    clock: Clock
    host: str  # part of the draw of due points: spreads a fleet
    allowance: Allowance
    jitter: Callable[[], float]  # in [0, 1)
    observers: tuple[Observer, ...] = ()
    refresh: timing.Refresh = timing.USUAL


class Keeper:
    """Keeps one lease alive. Belongs to one event loop."""

    def __init__(
        self, identity: str, source: KeySource, key: AccessKey, issuer: Issuer, setting: Setting
    ) -> None:
        """`key` is what `source` gave at start; it is read again only when IAM rejects it."""
        self.lease: Lease = lease.new(identity, setting.clock.now())
        self.key = key
        self.skew: timedelta | None = None  # the host's wall clock minus IAM's, when last measured
        self._source = source
        self._issuer = issuer
        self._setting = setting
        self._clock = setting.clock
        self._flight: asyncio.Task[None] | None = None
        self._reread: asyncio.Task[None] | None = None
        self._end = float("inf")  # when nobody may wait any longer
        self._changed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def observe(self, min_ttl: float = 0.0) -> None:
        """Do what the lease wants done now. Cheap, never blocks, never raises for the world's sake.

        `min_ttl` is the life, in seconds, that somebody asks for: it may have the refresh come early.
        """
        now = self._clock.now()
        action = lease.decide(self.lease, now, min_ttl)
        if action is Action.EXPIRE:
            self._become(Expired(now))
            action = lease.decide(self.lease, now, min_ttl)
        if action is Action.ISSUE and self._setting.allowance.ready_at(now, self.lease) <= now:
            self._setting.allowance.spend(now)
            self._become(Started(now))
            self._flight = asyncio.create_task(self._fly(self.lease.generation, self.key))

    async def token(self, until: float, min_ttl: float = 0.0) -> Held:
        """A good token with `min_ttl` seconds to live, waited for until the clock reads `until`.

        Raises Refusal with the reason otherwise.
        """
        while True:
            self.observe(min_ttl)
            now, until = self._clock.now(), min(until, self._end)
            held = lease.servable(self.lease, now)
            if held is not None and not lease.attainable(held, min_ttl):
                raise _too_long(held)
            if held is not None and lease.enough(held, now, min_ttl):
                return held
            # While a flight is up, its landing wakes us; else nothing can change before the next try.
            flying = lease.in_flight(self.lease)
            wake = until if flying else self.next_try(now)
            if now >= until or (wake >= until and not flying):
                raise self.refusal(now)
            await self._clock.wait(self._changed, wake)

    async def news(self, until: float) -> None:
        """Return at the next change of the lease, or when the clock reads `until`."""
        self.observe()
        await self._clock.wait(self._changed, until)

    def end(self, by: float) -> None:
        """Nobody waits beyond this moment; who waits for a change looks up now."""
        self._end = by
        self.wake()

    def wake(self) -> None:
        """Let everybody who waits for a change look up."""
        changed, self._changed = self._changed, asyncio.get_running_loop().create_future()
        changed.set_result(None)

    def next_try(self, now: float) -> float:
        """The earliest moment at which IAM may be asked again."""
        return max(lease.next_try(self.lease, now), self._setting.allowance.ready_at(now, self.lease))

    def refusal(self, now: float) -> Refusal:
        """Why there is no token now, or none that lives long enough, and when to come back."""
        trouble = self.lease.trouble
        pause = max(1.0, self.next_try(now) - now)
        if lease.servable(self.lease, now) is not None:
            why = trouble.detail if trouble and trouble.count else "a longer one is on its way"
            return Refusal(Code.MIN_TTL_UNAVAILABLE, f"the token at hand ends too soon: {why}", pause)
        if trouble is None or trouble.count == 0:  # nothing was tried yet, or not with the key of now
            return Refusal(Code.NOT_READY, "the first token is on its way; try again shortly", pause)
        return Refusal(CODE_OF_FAULT[trouble.fault], trouble.detail, pause)

    def reread_key(self) -> None:
        """Look at the key's source again, in the background; a different key is used from then on."""
        if self._reread is None:
            self._reread = asyncio.create_task(self._look_at_source())

    async def aclose(self) -> None:
        """End what is under way and wait for its end."""
        tasks = [task for task in (self._flight, self._reread) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _fly(self, generation: int, key: AccessKey) -> None:
        try:
            event = self._landed(generation, await self._issuer.issue(key))
        except IamError as error:
            event = self._failed(generation, error)
        except Exception as error:  # noqa: BLE001
            # L11: a defect must end the flight as any fault does, or the state would stick.
            _log.exception("flight_defect", identity=self.lease.identity)
            kind = type(error).__name__
            event = self._failed(
                generation, IamError(Fault.PROTOCOL, f"a defect in the broker ({kind}); see its log")
            )
        self._flight = None
        self._become(event)

    def _landed(self, generation: int, reply: Reply) -> Event:
        if reply.date is not None:
            self.skew = self._clock.wall() - reply.date
        now = self._clock.now()
        draw = timing.draw(self._setting.host, self.lease.identity, reply.token.digest)
        span = timing.span(reply.sent_at, reply.lifetime, draw, self._setting.refresh)
        if span.phase(now) is Phase.EXPIRED:
            slow = IamError(
                Fault.UNAVAILABLE, "IAM's answer took longer than the token lives; the network is too slow"
            )
            return self._failed(generation, slow)
        return Issued(now, generation, Held(reply.token, span))

    def _failed(self, generation: int, error: IamError) -> Failed:
        jitter = self._setting.jitter()
        return Failed(self._clock.now(), generation, error.fault, error.detail, error.retry_after, jitter)

    async def _look_at_source(self) -> None:
        try:
            key = await asyncio.to_thread(self._source.read)
        except ConfigError as error:
            _log.debug("key_unreadable", identity=self.lease.identity, problem=str(error))
        except Exception:  # noqa: BLE001
            # A defect in a look at the source leaves the key as it is; the next tick looks again.
            _log.exception("key_source_defect", identity=self.lease.identity)
        else:
            if key != self.key:
                self.key = key
                self._become(KeyChanged(self._clock.now()))
                self.observe()
        finally:
            self._reread = None

    def _become(self, event: Event) -> None:
        now = self._clock.now()
        before, self.lease = self.lease, lease.apply(self.lease, event)
        self.wake()
        for observer in self._setting.observers:
            try:
                observer(before, self.lease, now)
            except Exception:  # noqa: BLE001
                # News that cannot be told must not cost a lease.
                _log.exception("observer_defect", identity=self.lease.identity)


def _too_long(held: Held) -> Refusal:
    half = int(held.span.lifetime / 2)
    return Refusal(
        Code.MIN_TTL_UNAVAILABLE,
        f"tokens live {int(held.span.lifetime)} s; ask for a min_ttl of at most {half}",
    )
