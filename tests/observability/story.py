"""A lease to which things happen, and what the journal tells of them."""

from dataclasses import replace
from typing import Any

from structlog.testing import capture_logs

from broker.core import lease, watch
from broker.core.errors import Fault
from broker.core.events import (
    Alive,
    Checking,
    Event,
    Expired,
    Failed,
    Issued,
    KeyChanged,
    Reported,
    Started,
    Unchecked,
)
from broker.core.happening import apply
from broker.core.keys import Place
from broker.core.lease import Lease
from broker.core.model import Held
from broker.core.secret import Secret
from broker.core.watch import Method
from broker.observability.journal import Journal
from tests.core.builders import failure, fresh, token
from tests.core.builders import held as built

Told = list[dict[str, Any]]


def held(
    name: str, at: float, roles: tuple[str, ...] = ("r1",), project: str = "p1", *, access_rules: bool = False
) -> Held:
    """A token that was just issued."""
    given = replace(token(name, roles, project), access_rules=access_rules)
    return replace(built(name, sent_at=at), token=given)


class Story:
    """One identity with one key, or the keys of these refs."""

    def __init__(self, *refs: str) -> None:
        self.journal = Journal()
        self.lease: Lease = fresh(*refs)
        self.now = 0.0
        self._generation = 2

    def goes(self, *events: Event) -> Told:
        with capture_logs() as told:
            for event in events:
                before, self.lease = self.lease, apply(self.lease, event)
                self.journal.tell(before, self.lease, self.now)
        return [dict(line) for line in told]

    def fails(self, fault: Fault, times: int = 1, every: float = 10.0, generation: int = 1) -> Told:
        told = []
        for _ in range(times):
            self.now += every
            told += self.goes(Started(self.now), Failed(generation, failure(self.now, fault)))
        return told

    def is_issued(
        self,
        name: str = "token-1",
        generation: int = 1,
        roles: tuple[str, ...] = ("r1",),
        *,
        access_rules: bool = False,
    ) -> Told:
        self.now += 300
        given = held(name, self.now, roles, access_rules=access_rules)
        return self.goes(Started(self.now), Issued(self.now, generation, given))

    def expires(self) -> Told:
        assert self.lease.held is not None
        self.now = self.lease.held.span.deadline
        return self.goes(Expired(self.now))

    def gets_key(self, ref: str, place: Place = Place.PRIMARY) -> Told:
        """The source of a place holds another key, of generation 3, then 4 ..."""
        self._generation += 1
        return self.goes(KeyChanged(self.now, place, self._generation, ref))

    def is_alive(self, by: Method = Method.AUTH_TOKENS, roles: tuple[str, ...] | None = ("r1",)) -> Told:
        self.now += 10
        ids = None if roles is None else frozenset(roles)
        return self.goes(Checking(self.now), Alive(self.now, self._digest, by, ids))

    def is_refused(
        self, by: Method = Method.AUTH_TOKENS, fault: Fault = Fault.REJECTED, *, forbidden: bool = False
    ) -> Told:
        self.now += 10
        answer = Unchecked(self._digest, by, failure(self.now, fault), forbidden)
        return self.goes(Checking(self.now), answer)

    def is_reported(self, name: str) -> Told:
        return self.goes(Reported(self.now, Secret(name).sha256()))

    def is_restored(self, name: str = "token-0") -> Told:
        """What a keeper does at start with what survived."""
        kept = lease.remembering(self.lease, watch.evidence_by_key(self.lease.watch), ())
        before, self.lease = self.lease, lease.restored(kept, held(name, self.now), "key-1", self.now)
        with capture_logs() as told:
            self.journal.tell(before, self.lease, self.now)
        return [dict(line) for line in told]

    @property
    def _digest(self) -> str:
        assert self.lease.held is not None
        return self.lease.held.token.digest


def levels(told: Told) -> list[tuple[str, str]]:
    return [(line["log_level"], line["event"]) for line in told]
