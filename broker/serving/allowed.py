"""The requests that the full path has allowed lately: what the express lane looks up, and nothing else.

- A request is its exact bytes, from a caller of exactly this evidence: all that the policy and the audit can ask about one,
  its listener included. Nothing is judged here; what is not found was not allowed.
- What could change an answer forgets it, here and in no other place: every change of a lease, before anybody hears of
  it, and settings that are taken over. Then the full path judges anew. (A client's secret opens nothing that is here.)
- What was judged before such a change is not remembered after it: its answer may have taken seconds to leave.
- What was handed out is told to metrics and audit every second, before a scrape, and before it is forgotten: no caller
  can have a token that is not in both, unless the broker is killed within that second.
- All is bounded: MOST answers, to requests of at most LONGEST bytes. The oldest goes first.
"""

import asyncio
from typing import Final

from aiohttp import web

from broker.core.access import Workload
from broker.core.lease import Lease
from broker.core.ports import Clock
from broker.serving.books import Auditor, Meter
from broker.serving.remembered import HandedOut, Remembered

MOST = 4096
LONGEST = 4096
# Each takes some 6 microseconds to tell; all of them at once would keep everybody waiting for 25 ms.
TOLD_AT_ONCE = 100

Answers = dict[bytes, Remembered]
NOTHING: Final[Answers] = {}

_Evidence = tuple[object, ...]


class Allowed:
    """Belongs to one event loop."""

    def __init__(self, clock: Clock, meter: Meter, auditor: Auditor) -> None:
        self._clock = clock
        self._meter = meter
        self._auditor = auditor
        self.changes = 0  # so far, of what answers depend on
        self._answers: dict[_Evidence, Answers] = {}
        # In the order in which they came, each with where it is found.
        self._all: dict[Remembered, tuple[_Evidence, bytes]] = {}
        self._whose: dict[str, dict[Remembered, None]] = {}
        self._untold: list[Remembered] = []  # that wait for their part of this tick
        self._next: asyncio.Handle | None = None

    def of(self, caller: Workload | None) -> Answers:
        """What callers of this evidence may have, by their requests; to be looked at, and kept for a connection."""
        return NOTHING if caller is None else self._answers.get(_evidence(caller), NOTHING)

    def remember(self, request: bytes, it: HandedOut, response: web.StreamResponse) -> bool:
        """The full path has allowed this and sent that response. False: it is not one to remember."""
        if len(request) > LONGEST or it.as_of != self.changes:
            return False
        evidence = _evidence(it.caller)
        known = self._answers.get(evidence, NOTHING).get(request)
        if known is not None and known.over(self._clock.now()):
            self._drop(known)  # its phase has ended, and this is of the next one
        answers = self._answers.setdefault(evidence, {})
        if request not in answers:
            answers[request] = new = Remembered(it, response, self._clock)
            self._all[new] = (evidence, request)
            self._whose.setdefault(it.identity, {})[new] = None
            if len(self._all) > MOST:
                self._drop(next(iter(self._all)))
        return True

    def lease_changed(self, before: Lease, after: Lease, now: float) -> None:
        """Forget what was allowed of this identity; an observer of all leases."""
        del before, now
        self.changes += 1
        self._drop_all(list(self._whose.get(after.identity, ())))

    def rules_changed(self) -> None:
        """Forget all: who may do what, or which identities there are, is not what it was."""
        self.changes += 1
        self._drop_all(list(self._all))

    def tell(self) -> None:
        """Tell what was handed out since it was last told."""
        self._untold = []
        if self._next is not None:
            self._next.cancel()
        self._tell(list(self._all))

    def tick(self) -> None:
        """The same once a second, a few at a time: whoever asks for a token meanwhile does not wait for all of them."""
        if not self._untold:
            self._untold = [each for each in self._all if each.times]
            self._go_on()

    def _go_on(self) -> None:
        now, self._untold = self._untold[:TOLD_AT_ONCE], self._untold[TOLD_AT_ONCE:]
        self._tell(now)
        if self._untold:
            self._next = asyncio.get_running_loop().call_soon(self._go_on)

    def _tell(self, them: list[Remembered]) -> None:
        now = self._clock.now()
        for each in them:
            each.tell(self._meter, self._auditor, now)

    def _drop_all(self, them: list[Remembered]) -> None:
        # First of all: a defect in what is told below must leave no token that may be given.
        for each in them:
            each.forget()
        for each in them:
            self._drop(each)

    def _drop(self, it: Remembered) -> None:
        it.forget()
        it.tell(self._meter, self._auditor, self._clock.now())
        evidence, request = self._all.pop(it)
        del self._answers[evidence][request]
        if not self._answers[evidence]:
            del self._answers[evidence]
        del self._whose[it.identity][it]
        if not self._whose[it.identity]:
            del self._whose[it.identity]


def _evidence(caller: Workload) -> _Evidence:
    """All of it but the pid, of which only counts whether there is one, and whether it is ours, see `core.access`."""
    has_pid = caller.pid if not caller.pid else True
    return (
        caller.uid, caller.gid, has_pid, caller.listener, caller.groups, caller.unit, caller.slices, caller.container,
    )  # fmt: skip
