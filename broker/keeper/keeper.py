"""The keeper of one identity: the thin shell that turns the lease's decisions into flights and its changes into news.

- It is driven from outside: a tick and every request call `observe`; nothing here sleeps in a loop.
- Issues and validations fly in tasks that the keeper owns, so a waiter that leaves cancels nothing (L3); each waiter has
  its own deadline.
- Whatever a flight ends with, even a defect, becomes an event, so that no state can stick (L11).
- Every change of the lease goes through `_become`, where observers and the store hang; nobody polls for change.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

import structlog

from broker.core import lease, watch
from broker.core.errors import CODE_OF_FAULT, Code, Refusal
from broker.core.events import (
    Checking,
    Doubted,
    Event,
    Expired,
    Issued,
    KeyAsked,
    KeyDropped,
    Reported,
    Started,
    Woke,
)
from broker.core.happening import apply
from broker.core.keys import KeyRecord
from broker.core.lease import Action, Lease
from broker.core.memory import Budgets, Memory
from broker.core.model import AccessKey, Held
from broker.core.ports import Issuer, Store
from broker.core.watch import Method
from broker.keeper.flights import Flights
from broker.keeper.health import Health
from broker.keeper.line import Line
from broker.keeper.places import KeyPlace, Places, openers
from broker.keeper.remembrance import KEEPING, BudgetKeeping, Remembrance
from broker.keeper.setting import Setting

_log = structlog.get_logger()


class Keeper:
    """Keeps one lease alive. Belongs to one event loop."""

    def __init__(
        self, identity: str, places: Sequence[KeyPlace], issuer: Issuer, store: Store, setting: Setting
    ) -> None:
        """`places` are its one or two sources of keys, with what they gave at start."""
        self._setting = setting
        self.clock = setting.clock
        self.ailments = partial(setting.ailments, identity)
        self._store = store
        self.places = Places(identity, places, setting.clock)
        self.lease: Lease = begun(identity, self.places, setting, None)
        self.skew: timedelta | None = None  # the host's wall clock minus IAM's, when last measured
        self._flights = Flights(identity, issuer, setting, self._measure)
        self.health = Health(identity, issuer, setting.clock, self._spend_on_key)
        self.remembrance = Remembrance(identity, store, setting.clock, self._keys)
        self._issuing: asyncio.Task[None] | None = None
        self._checking: asyncio.Task[None] | None = None
        self._looking: asyncio.Task[None] | None = None
        self._keeping = BudgetKeeping(identity, store, setting, self.remembrance)
        self._closed = False
        self.closing_at = float("inf")  # nobody waits beyond
        self._changes = Line(setting.clock)
        self._tokens = Line(setting.clock)  # those for whom only another token is news

    async def restore(self) -> None:
        """Take up what survived a restart; to be called before anything else, or not at all."""
        budgets = await self._store.budgets()
        memory = await self._store.load(self._keys())
        self._take_up(budgets, memory)

    def observe(self) -> None:
        """Do what the lease wants done now. Cheap, never blocks, never raises for the world's sake."""
        self.renew()
        now = self.clock.now()
        if max(lease.next_check(self.lease, now), self._setting.allowance.check_ready_at(now)) <= now:
            self._check(now)

    def renew(self, min_ttl: float = 0.0) -> None:
        """Ask for a token if one is due; whoever wants one does this, and leaves validations to the tick.

        `min_ttl` is the life, in seconds, that somebody asks for: it may have the refresh come early.
        """
        if self._closed:
            return
        now = self.clock.now()
        action = lease.decide(self.lease, now, min_ttl)
        if action is Action.EXPIRE:
            self._become(Expired(now))
            action = lease.decide(self.lease, now, min_ttl)
        if action is Action.ISSUE and self._setting.allowance.ready_at(now, self.lease) <= now:
            self._issue(now, min_ttl)

    async def token(self, until: float, min_ttl: float = 0.0) -> Held:
        """A good token with `min_ttl` seconds to live, waited for until the clock reads `until`.

        Raises Refusal with the reason otherwise.
        """
        while True:
            self.renew(min_ttl)
            now, until = self.clock.now(), min(until, self.closing_at)
            held = lease.servable(self.lease, now)
            if held is not None and not lease.attainable(held, min_ttl):
                raise _too_long(held)
            if held is not None and lease.enough(held, now, min_ttl):
                return held
            # While a flight is up, its landing wakes us; else nothing can change before the next try.
            flying = lease.in_flight(self.lease)
            wake = until if flying else self.next_try(now, min_ttl)
            if now >= until or (wake >= until and not flying):
                raise self.refusal(now, min_ttl)
            await self._changes.wait(wake)

    def reported(self, digest: str) -> None:
        """A client says that the token of this SHA-256 is refused; see `reporting`."""
        self._become(Reported(self.clock.now(), digest))

    def doubted(self, digest: str) -> None:
        """A client asks again that was given the token of this SHA-256; see `doubt`."""
        self._become(Doubted(self.clock.now(), digest))

    async def news(self, until: float) -> None:
        """Return at the next change of the lease, when the clock reads `until`, or when nobody waits any longer."""
        self.observe()
        await self._changes.wait(min(until, self.closing_at))

    async def next_token(self, until: float) -> None:
        """Return when there is another token, when the clock reads `until`, or when nobody waits any longer."""
        await self._tokens.wait(min(until, self.closing_at))

    def end(self, by: float) -> None:
        """Nobody waits beyond this moment; who waits for a change looks up now."""
        self.closing_at = by
        self._changes.let_go()
        self._tokens.let_go()

    def woke(self) -> None:
        """The machine has slept: much may have happened at IAM, and whoever waits has waited long."""
        self._become(Woke(self.clock.now()))
        self.observe()

    def next_try(self, now: float, min_ttl: float = 0.0) -> float:
        """The earliest moment at which IAM is asked for a token again."""
        return max(
            lease.next_issue(self.lease, now, min_ttl), self._setting.allowance.ready_at(now, self.lease)
        )

    def refusal(self, now: float, min_ttl: float = 0.0) -> Refusal:
        """Why there is no token now, or none that lives `min_ttl` seconds, and when to come back."""
        trouble = self.lease.trouble
        pause = max(1.0, self.next_try(now, min_ttl) - now)
        if lease.servable(self.lease, now) is not None:
            why = trouble.detail if trouble and trouble.count else "a longer one is on its way"
            return Refusal(Code.MIN_TTL_UNAVAILABLE, f"the token at hand ends too soon: {why}", pause)
        if trouble is None or trouble.count == 0:  # nothing was tried yet, or not with the key of now
            return Refusal(Code.NOT_READY, "the first token is on its way; try again shortly", pause)
        return Refusal(CODE_OF_FAULT[trouble.fault], trouble.detail, pause)

    def look_at_keys(self) -> None:
        """Look at the keys' sources again, in the background; another key is tried, and used if it works (L10)."""
        if self._looking is None and not self._closed:
            self._looking = asyncio.create_task(self._look())

    def rekey(self, places: Sequence[KeyPlace]) -> None:
        """The configuration names other sources from now on."""
        before = self.places.all()
        self.places.replace(places)
        for place in before[len(places) :]:
            self._become(KeyDropped(self.clock.now(), place))
        self.look_at_keys()

    async def aclose(self) -> None:
        """End what is under way and wait for its end; nothing begins any more."""
        self._closed = True
        tasks = [task for task in (self._issuing, self._checking, self._looking) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, self.health.aclose(), return_exceptions=True)
        await asyncio.gather(self._keeping.aclose(), self.remembrance.aclose())

    def _take_up(self, budgets: Budgets | None, memory: Memory | None) -> None:
        now = self.clock.now()
        kept = begun(self.lease.identity, self.places, self._setting, budgets)
        if memory is not None:
            kept = lease.remembering(kept, memory.evidence, memory.rejected)
            # Of a key that is not configured any more it may be another project's, or unwanted.
            if memory.reply is not None and memory.key is not None and self.places.names(memory.key):
                held = self._flights.held(memory.reply)
                kept = lease.restored(kept, held, memory.key, now)
                self.health.seen(memory.key, held.token)
        before, self.lease = self.lease, kept
        self._told(before, now)

    def _issue(self, now: float, min_ttl: float) -> None:
        record = lease.key_to_ask(self.lease, now, min_ttl)
        if record is None:  # cannot be: the decision was for this key
            return
        self._setting.allowance.spend(now)
        self._become(Started(now))
        self._issuing = asyncio.create_task(self._fly(record))

    async def _fly(self, record: KeyRecord) -> None:
        await self._keeping.keep(self.lease)
        event = await self._flights.issue(record.generation, self.places.key(record.generation))
        if isinstance(event, Issued):
            self.health.seen(record.ref, event.held.token)
            await self._keep_first(event)
        self._issuing = None
        self._become(event)
        self.places.forget(self.lease.keys)
        self.health.forget(self.lease.keys)
        # A rejected key gives way to the next within the same call.
        self.observe()

    async def _keep_first(self, event: Issued) -> None:
        """A first token is on disk before it is handed out, or a crash loop would pay for one at each start."""
        now = self.clock.now()
        if lease.servable(self.lease, now) is not None:
            return
        try:
            self.remembrance.note(apply(self.lease, event))
        except Exception:  # noqa: BLE001
            # What cannot be kept must not cost the token, nor leave its flight without an end (L11).
            _log.exception("store_defect", identity=self.lease.identity)
        await self.remembrance.kept(now + KEEPING)

    def _check(self, now: float) -> None:
        held, by = lease.servable(self.lease, now), watch.method(self.lease.watch)
        if held is None or by is None:  # cannot be: the moment was for this token
            return
        self._setting.allowance.spend(now)
        self._become(Checking(now))
        self._checking = asyncio.create_task(self._validate(held, by))

    async def _validate(self, held: Held, by: Method) -> None:
        await self._keeping.keep(self.lease)
        event = await self._flights.validate(held.token, by)
        self._checking = None
        self._become(event)
        # What was found dead is replaced at once, and what cannot be done so is done otherwise.
        self.observe()

    async def _look(self) -> None:
        try:
            for place in self.places.all():
                event = await self.places.look(place, lambda: self.lease.keys)
                if event is not None:
                    self._become(event)
                    self.observe()
        except Exception:  # noqa: BLE001
            # A defect in a look at a source leaves the keys as they are; the next tick looks again.
            _log.exception("key_source_defect", identity=self.lease.identity)
        finally:
            self._looking = None

    def _keys(self) -> tuple[AccessKey, ...]:
        return self.places.wanted(self.lease.keys)

    def _measure(self, date: datetime) -> None:
        self.skew = self.clock.wall() - date

    def _spend_on_key(self) -> bool:
        now = self.clock.now()
        ready = max(watch.spare_at(self.lease.watch, now), self._setting.allowance.question_ready_at(now))
        if ready > now:
            return False
        self._setting.allowance.spend(now)
        self._become(KeyAsked(now))
        return True

    def _become(self, event: Event) -> None:
        before, self.lease = self.lease, apply(self.lease, event)
        self._told(before, self.clock.now())

    def _told(self, before: Lease, now: float) -> None:
        self._changes.let_go()
        if self.lease.held is not None and self.lease.held is not before.held:
            self._tokens.let_go()
        for observer in (self._remember, *self._setting.observers):
            try:
                observer(before, self.lease, now)
            except Exception:  # noqa: BLE001
                # News that cannot be told, or kept, must not cost a lease.
                _log.exception("observer_defect", identity=self.lease.identity)

    def _remember(self, before: Lease, after: Lease, _: float) -> None:
        self.remembrance.note(after)
        if openers(before.keys) != openers(after.keys):
            self.remembrance.renew()


def begun(identity: str, places: Places, setting: Setting, left: Budgets | None) -> Lease:
    """A lease that holds nothing yet, with what is left of its budgets."""
    now, how = setting.clock.now(), setting.validation
    issues, checks = (left.issues, left.validations) if left else (None, None)
    over = watch.new(now, how.every, how.methods, checks)
    return lease.new(identity, now, places.settled(), over, issues)


def _too_long(held: Held) -> Refusal:
    half = int(held.span.lifetime / 2)
    return Refusal(
        Code.MIN_TTL_UNAVAILABLE,
        f"tokens live {int(held.span.lifetime)} s; ask for a min_ttl of at most {half}",
    )
