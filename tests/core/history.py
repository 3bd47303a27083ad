"""A lease and everything that can happen to it, with books of its own in the simplest words: it never asks the lease what
should be true.
"""

from dataclasses import dataclass, replace

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from broker.core import keys, lease
from broker.core.errors import Fault
from broker.core.events import (
    Alive,
    Checking,
    Expired,
    Failed,
    Issued,
    KeyAsked,
    KeyChanged,
    KeyDropped,
    KeyReverted,
    Reported,
    Started,
    Unchecked,
    Woke,
)
from broker.core.happening import apply
from broker.core.keys import Place, Standing
from broker.core.lease import Action
from broker.core.model import Held
from broker.core.timing import span
from broker.core.watch import Method, evidence_by_key
from tests.core.builders import failure, fresh, token

HOME = "p1"  # the project of all keys but the foreign ones
lifetimes = st.sampled_from([4.0, 12.0, 180.0, 3600.0, 43200.0])
draws = st.floats(0, 1, exclude_max=True)
roles = st.sets(st.sampled_from(["r1", "r2", "r3"]), min_size=1).map(lambda found: tuple(sorted(found)))


@dataclass(frozen=True)
class Written:
    """A token, as the books know it."""

    name: str
    sent: float
    life: float
    key: str
    project: str
    generation: int = 0

    def good(self, now: float) -> bool:
        return now < self.sent + self.life - 1


class History(RuleBasedStateMachine):
    """One lease under random histories."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.lease = fresh("key-1", "key-2", now=self.now)
        self.refs: dict[int, tuple[Place, str]] = {1: (Place.PRIMARY, "key-1"), 2: (Place.STANDBY, "key-2")}
        self.keys_read = 2
        self.flight: tuple[int, float] | None = None  # generation of the key, and when the request left
        self.check: tuple[str, Method] | None = None
        self.issued = 0
        self.good: Written | None = None  # what must be served for as long as it lives
        self.dead: set[str] = set()  # names
        self.evidence: set[tuple[str, Method]] = set()
        self.deaths = 0  # in a row
        self.starts: list[float] = []
        self.checks: list[float] = []
        self.fastest_pace = 30.0
        self.not_before = 0.0
        self.home: str | None = None

    # What time and the tick do.

    @rule(step=st.one_of(st.floats(0, 5), st.floats(0, 600), st.floats(0, 50_000)))
    def time_passes(self, step: float) -> None:
        self.now += step

    @precondition(lambda self: self.good is not None)
    @rule(part=st.sampled_from([0.1, 0.5, 0.9, 1.0]), seconds=st.floats(-2, 1))
    def a_moment_of_its_life_comes(self, part: float, seconds: float) -> None:
        """Near which the rules change; steps alone rarely meet it."""
        assert self.good is not None
        self.now = max(self.now, self.good.sent + part * self.good.life + seconds)

    @rule()
    def look(self) -> None:
        self.look_for(0.0)
        if lease.next_check(self.lease, self.now) <= self.now:
            self.validate()

    @precondition(lambda self: self.check is None and self.good is not None)
    @rule()
    def the_moment_of_a_validation_comes(self) -> None:
        due = lease.next_check(self.lease, self.now)
        if self.good is not None and self.good.good(max(self.now, due)):
            self.now = max(self.now, due)
            self.validate()

    @rule(part=st.sampled_from([0.1, 0.4, 0.5, 0.51, 0.9, 2.0]))
    def somebody_asks_for_life(self, part: float) -> None:
        self.look_for(part * (self.good.life if self.good else 3600.0))

    @rule()
    def the_machine_wakes(self) -> None:
        self.lease = apply(self.lease, Woke(self.now))

    @rule()
    def iam_is_asked_about_a_key(self) -> None:
        self.checks.append(self.now)
        if self.lease.watch.bucket.ready_at(self.now, 10.0) <= self.now:
            self.lease = apply(self.lease, KeyAsked(self.now))
        else:
            self.checks.pop()

    def look_for(self, min_ttl: float) -> None:
        action = lease.decide(self.lease, self.now, min_ttl)
        if action is Action.EXPIRE:
            assert self.good is None or not self.good.good(self.now), "L2: it was still good"
            self.good = None
            self.lease = apply(self.lease, Expired(self.now))
        elif action is Action.ISSUE:
            record = lease.key_to_ask(self.lease, self.now, min_ttl)
            assert record is not None
            assert self.flight is None, "L3: one issue at a time"
            assert self.now >= self.not_before, "L6: before the time that IAM told"
            assert record.generation in self.refs, "L11: the key of now"
            self.judge_start(record, min_ttl)
            self.flight = (record.generation, self.now)
            self.starts.append(self.now)
            self.lease = apply(self.lease, Started(self.now))

    def judge_start(self, record: keys.KeyRecord, min_ttl: float) -> None:
        """A fresh token is not refreshed; other keys may be tried while it is."""
        in_use = self.good is not None and record.generation == self.good.generation
        if in_use and self.good is not None and not self.lease.wanted:
            # Who asks for half a life is short of it one second, the floor, before half of it is over.
            early = 1.0 if 0 < min_ttl <= self.good.life / 2 else 0.0
            assert self.now >= self.good.sent + 0.5 * self.good.life - early, "L5"

    def validate(self) -> None:
        assert self.check is None, "L3: one validation at a time"
        assert self.good is not None
        by = self.lease.watch.methods[0] if self.now % 2 < 1 else self.lease.watch.methods[1]
        self.check = (self.good.name, by)
        self.checks.append(self.now)
        self.lease = apply(self.lease, Checking(self.now))

    # What IAM answers to an issue.

    @precondition(lambda self: self.flight is not None)
    @rule(life=lifetimes, draw=draws, given=roles)
    def iam_issues(self, life: float, draw: float, given: tuple[str, ...]) -> None:
        assert self.flight is not None
        generation, sent = self.flight
        if self.now >= sent + life - 1:  # as the keeper does: it came too late
            return self.iam_fails(Fault.UNAVAILABLE, None, draw)
        self.flight = None
        self.issued += 1
        key = self.refs[generation][1] if generation in self.refs else "gone"
        project = "p2" if key.startswith("foreign") else HOME
        new = Written(f"token-{self.issued}", sent, life, key, project, generation)
        before, held = self.lease, Held(token(new.name, given, project), span(sent, life, draw))
        self.lease = apply(self.lease, Issued(self.now, generation, held, draw))
        self.judge_issue(before, generation, new)
        return None

    def judge_issue(self, before: lease.Lease, generation: int, new: Written) -> None:
        served = lease.servable(self.lease, self.now)
        if generation not in self.refs:
            assert self.lease.held == before.held, "L11: an answer for a superseded key is dropped"
            assert self.lease.trouble == before.trouble
            return
        if self.home not in {None, new.project}:
            assert self.lease.held == before.held, "L10: a key of another project brings nothing"
            assert any(record.standing is Standing.FOREIGN for record in self.lease.keys)
            return
        self.home = new.project
        place = self.refs[generation][0]
        self.refs = {
            at: known for at, known in self.refs.items() if known[0] is not place or at >= generation
        }
        assert served is not None
        taken = served.token.value.reveal() == new.name
        if place is Place.PRIMARY or self.good is None or not self.good.good(self.now):
            assert taken, "a token of the first key, or any where there is none, is used"
        if taken:
            self.good = new
            self.fastest_pace = min(self.fastest_pace, new.life / 10)
        self.not_before = 0.0

    @precondition(lambda self: self.flight is not None)
    @rule(fault=st.sampled_from(Fault), retry_after=st.none() | st.floats(0, 10_000), draw=draws)
    def iam_fails(self, fault: Fault, retry_after: float | None, draw: float) -> None:
        assert self.flight is not None
        generation, _ = self.flight
        self.flight = None
        before = self.lease
        why = failure(self.now, fault, retry_after=retry_after, draw=draw)
        self.lease = apply(self.lease, Failed(generation, why))
        assert self.lease.held == before.held, "L2, L7: no fault takes a token away"
        if generation not in self.refs:
            assert self.lease.trouble == before.trouble, "L11: a fault of a superseded key is dropped"
        elif fault is Fault.REJECTED:
            bad = keys.find(self.lease.keys, generation)
            assert bad is not None
            assert bad.standing is Standing.REJECTED
            assert bad.next_try <= self.now + 300, "L6: never slower than the validation interval"
            assert self.good is None or self.check or self.lease.watch.due_at <= self.now, (
                "L7: look at the token"
            )
        else:
            assert self.lease.trouble is not None
            assert self.lease.trouble.fault is fault
            self.not_before = self.now + min(retry_after or 0.0, 300.0)

    # What IAM answers to a validation.

    @precondition(lambda self: self.check is not None)
    @rule(now=st.none() | roles, draw=draws)
    def it_lives(self, now: tuple[str, ...] | None, draw: float) -> None:
        assert self.check is not None
        name, by = self.check
        self.check = None
        digest = token(name).digest
        if self.lease.held and self.lease.held.token.digest == digest and self.good:
            self.evidence.add((self.good.key, by))
            self.deaths = 0
        self.lease = apply(
            self.lease, Alive(self.now, digest, by, None if now is None else frozenset(now), draw)
        )
        held = self.lease.held
        if held and held.token.digest == digest and now is not None:
            lost = {role.id for role in self.lease.lost}
            assert {role.id for role in held.token.roles} - set(now) <= lost, "L8: what was lost is named"
            assert not lost & set(now)

    @precondition(lambda self: self.check is not None)
    @rule(fault=st.sampled_from(Fault), forbidden=st.booleans(), draw=draws)
    def it_does_not_say_that_it_lives(self, fault: Fault, forbidden: bool, draw: float) -> None:
        assert self.check is not None
        name, by = self.check
        self.check = None
        forbidden = forbidden and fault is Fault.PROTOCOL
        before, digest = self.lease, token(name).digest
        why = failure(self.now, fault, draw=draw)
        self.lease = apply(self.lease, Unchecked(digest, by, why, forbidden))
        current = self.good is not None and self.good.name == name
        proven = self.good is not None and (self.good.key, by) in self.evidence
        if fault is Fault.REJECTED and current and proven and self.deaths < 3:
            self.deaths += 1
            assert self.lease.held is None, "L1: what is known to be dead goes"
            self.dead.add(name)
            self.good = None
        else:
            assert self.lease.held == before.held, "L8: no evidence, no death"
            if current and self.good and (fault is Fault.REJECTED or (forbidden and not proven)):
                self.evidence.discard((self.good.key, by))

    # What happens to keys.

    @rule(place=st.sampled_from(Place), foreign=st.booleans())
    def another_key_is_read(self, place: Place, foreign: bool) -> None:
        self.keys_read += 1
        generation, before = self.keys_read, keys.at(self.lease.keys, place)
        ref = f"foreign-{generation}" if foreign else f"key-{generation}"
        was_rejected = self.lease.trouble is not None and self.lease.trouble.fault is Fault.REJECTED
        self.lease = apply(self.lease, KeyChanged(self.now, place, generation, ref))
        assert keys.at(self.lease.keys, place) == before or before is None, "L10: tried before it replaces"
        newest = max((at for at, known in self.refs.items() if known[0] is place), default=0)
        settled = keys.at(self.lease.keys, place)
        if settled is not None and newest != settled.generation:
            self.refs.pop(newest, None)
        self.refs[generation] = (place, ref)
        if was_rejected:
            self.not_before = 0.0

    @rule(place=st.sampled_from(Place))
    def the_old_key_is_back(self, place: Place) -> None:
        self.lease = apply(self.lease, KeyReverted(self.now, place))
        kept = {record.generation for record in self.lease.keys}
        assert all(record.settled for record in self.lease.keys if record.place is place)
        self.refs = {at: known for at, known in self.refs.items() if known[0] is not place or at in kept}

    @precondition(lambda self: any(record.place is Place.PRIMARY for record in self.lease.keys))
    @rule()
    def the_standby_is_taken_out_of_the_settings(self) -> None:
        self.lease = apply(self.lease, KeyDropped(self.now, Place.STANDBY))
        self.refs = {at: known for at, known in self.refs.items() if known[0] is Place.PRIMARY}

    # What clients and the host do.

    @rule(which=st.sampled_from(["held", "old", "unheard of"]))
    def a_client_reports(self, which: str) -> None:
        name = self.good.name if which == "held" and self.good else f"token-{self.issued - 1}"
        name = "garbage" if which == "unheard of" else name
        before = self.lease
        self.lease = apply(self.lease, Reported(self.now, token(name).digest))
        if before.held is None or before.held.token.digest != token(name).digest:
            assert self.lease == before, "L9: a report of another token changes nothing"
        assert self.lease.held == before.held, "L9: nobody's word takes a token away"

    @rule()
    def the_broker_is_killed_and_starts(self) -> None:
        """With what was kept: the token, evidence, dead tokens and budgets (L13)."""
        before = self.lease
        left = [(place, ref) for _, (place, ref) in sorted(self.refs.items())]
        if not {Place.PRIMARY, Place.STANDBY} <= {place for place, _ in left}:
            return
        now = dict(left)  # the newest of each place is what its source holds
        again = fresh(now[Place.PRIMARY], now[Place.STANDBY], now=self.now)
        watched = replace(again.watch, bucket=before.watch.bucket)
        again = lease.remembering(
            replace(again, bucket=before.bucket, watch=watched),
            evidence_by_key(before.watch),
            before.rejected,
        )
        if (held := lease.servable(before, self.now)) is not None:
            again = lease.restored(again, held, before.watch.key, self.now)
            assert lease.next_check(again, self.now) <= max(
                self.now, again.watch.bucket.ready_at(self.now, 10.0)
            ), "L13: validated as soon as IAM answers"
        else:
            self.good = None
        self.lease, self.flight, self.check, self.not_before = again, None, None, 0.0
        self.refs = {1: (Place.PRIMARY, now[Place.PRIMARY]), 2: (Place.STANDBY, now[Place.STANDBY])}
        if self.good is not None:
            self.good = replace(self.good, generation=again.using or 0)
        self.keys_read = max(self.keys_read, 2)
        self.home = again.project
        self.deaths = 0
