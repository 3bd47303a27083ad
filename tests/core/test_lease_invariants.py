"""L1-L7 and L11 over random histories of time, answers, faults, key changes and deaths.

The machine keeps its own books, in the simplest words it can, and never asks the lease what should be true.
"""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from broker.core import lease
from broker.core.errors import Fault
from broker.core.events import Died, Expired, Failed, Issued, KeyChanged, Started
from broker.core.lease import Action
from broker.core.timing import Phase
from tests.core.builders import held

lifetimes = st.sampled_from([4.0, 12.0, 180.0, 3600.0, 43200.0])
draws = st.floats(0, 1, exclude_max=True)


class LeaseHistory(RuleBasedStateMachine):
    """One lease and everything that can happen to it."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.lease = lease.new("default", self.now)
        self.flight: tuple[int, float] | None = None  # generation and start of the request under way
        self.generation = 0
        self.issued = 0
        self.good: tuple[str, float, float] | None = (
            None  # name, sent, life of the newest token not known to be dead
        )
        self.dead: set[str] = set()
        self.starts: list[float] = []
        self.slowest_pace = 30.0
        self.fastest_pace = 30.0
        self.not_before = 0.0

    @rule(step=st.one_of(st.floats(0, 5), st.floats(0, 600), st.floats(0, 50_000)))
    def time_passes(self, step: float) -> None:
        self.now += step

    @precondition(lambda self: self.good is not None)
    @rule(part=st.sampled_from([0.1, 0.5, 0.9, 1.0]), seconds=st.floats(-2, 1))
    def a_moment_of_its_life_comes(self, part: float, seconds: float) -> None:
        """Near which the rules change; steps alone rarely meet it."""
        assert self.good is not None
        _, sent, life = self.good
        self.now = max(self.now, sent + part * life + seconds)

    @rule()
    def look(self) -> None:
        self.look_for(0.0)

    @rule(part=st.sampled_from([0.1, 0.4, 0.5, 0.51, 0.9, 2.0]))
    def somebody_asks_for_life(self, part: float) -> None:
        """For a part of the newest token's; asking for more than half brings no refresh early."""
        life = self.good[2] if self.good else 3600.0
        self.look_for(part * life)

    def look_for(self, min_ttl: float) -> None:
        action = lease.decide(self.lease, self.now, min_ttl)
        if action is Action.EXPIRE:
            assert self.good is None or self.now >= self.good[1] + self.good[2] - 1, "L2: it was still good"
            self.lease = lease.apply(self.lease, Expired(self.now))
        elif action is Action.ISSUE:
            self.may_start(min_ttl)
            self.flight = (self.generation, self.now)
            self.starts.append(self.now)
            self.lease = lease.apply(self.lease, Started(self.now))

    def may_start(self, min_ttl: float) -> None:
        assert self.flight is None, "L3: one issue at a time"
        assert self.now >= self.not_before, "L6: before the time that IAM told"
        if self.good is not None:
            _, sent, life = self.good
            # Who asks for half a life is short of it one second, the floor, before half of it is over.
            early = 1.0 if 0 < min_ttl <= life / 2 else 0.0
            assert self.now >= sent + 0.5 * life - early, "L5: a fresh token is not refreshed"

    @precondition(lambda self: self.flight is not None)
    @rule(life=lifetimes, draw=draws)
    def iam_issues(self, life: float, draw: float) -> None:
        assert self.flight is not None
        generation, sent = self.flight
        self.flight = None
        if self.now >= sent + life - 1:
            return self.fail(
                generation, Fault.UNAVAILABLE, None, draw
            )  # as the keeper does: it came too late
        before = self.lease
        self.issued += 1
        name = f"token-{self.issued}"
        token = held(name, sent_at=sent, life=life, draw=draw)
        self.lease = lease.apply(self.lease, Issued(self.now, generation, token))
        if generation == self.generation:
            self.good = (name, sent, life)
            self.fastest_pace = min(self.fastest_pace, life / 10)
            self.not_before = 0.0
        else:
            assert self.lease.held == before.held, "L11: an answer for a superseded key is dropped"
            assert self.lease.trouble == before.trouble
        return None

    @precondition(lambda self: self.flight is not None)
    @rule(fault=st.sampled_from(Fault), retry_after=st.none() | st.floats(0, 10_000), draw=draws)
    def iam_fails(self, fault: Fault, retry_after: float | None, draw: float) -> None:
        assert self.flight is not None
        generation, _ = self.flight
        self.flight = None
        self.fail(generation, fault, retry_after, draw)

    def fail(self, generation: int, fault: Fault, retry_after: float | None, draw: float) -> None:
        before = self.lease
        self.lease = lease.apply(self.lease, Failed(self.now, generation, fault, "why", retry_after, draw))
        assert self.lease.held == before.held, "L2, L7: no fault takes a token away"
        if generation != self.generation:
            assert self.lease.trouble == before.trouble, "L11: a fault of a superseded key is dropped"
        else:
            assert self.lease.trouble is not None
            assert self.lease.trouble.fault is fault
            self.not_before = self.now + min(retry_after or 0.0, 300.0)

    @rule()
    def the_key_changes(self) -> None:
        rejected = self.lease.trouble is not None and self.lease.trouble.fault is Fault.REJECTED
        self.lease = lease.apply(self.lease, KeyChanged(self.now))
        self.generation += 1
        if rejected:
            self.not_before = 0.0

    @precondition(lambda self: self.lease.held is not None)
    @rule()
    def the_token_is_found_dead(self) -> None:
        assert self.lease.held is not None
        self.dead.add(self.lease.held.token.digest)
        self.good = None
        self.lease = lease.apply(self.lease, Died(self.now))

    @invariant()
    def l1_nothing_expired_or_dead_is_served(self) -> None:
        served = lease.servable(self.lease, self.now)
        if served is not None:
            assert self.good is not None
            assert self.now < self.good[1] + self.good[2] - 1
            assert served.token.digest not in self.dead

    @invariant()
    def l2_a_good_token_is_served_whatever_iam_does(self) -> None:
        if self.good is not None and self.now < self.good[1] + self.good[2] - 1:
            served = lease.servable(self.lease, self.now)
            assert served is not None
            assert served.token.value.reveal() == self.good[0]

    @invariant()
    def l2_stale_says_that_a_due_refresh_failed(self) -> None:
        due = Phase.DUE <= lease.phase(self.lease, self.now) < Phase.EXPIRED
        assert lease.stale(self.lease, self.now) is (due and self.lease.trouble is not None)

    @invariant()
    def l3_the_state_knows_the_flight(self) -> None:
        assert lease.in_flight(self.lease) is (self.flight is not None)

    @invariant()
    def l6_the_budget_holds_in_every_window(self) -> None:
        for index, start in enumerate(self.starts):
            spent = len(self.starts) - index
            assert spent <= 5 + 1 + (self.starts[-1] - start) / min(30.0, self.fastest_pace) + 1e-6

    @invariant()
    def no_state_sticks(self) -> None:
        """Whatever happened: once nothing is under way, an hour without a token leads to an attempt."""
        later = self.now + 3600 * 14
        if self.flight is None and self.lease.held is None:
            assert lease.decide(self.lease, later) is Action.ISSUE


TestLeaseHistory = LeaseHistory.TestCase
TestLeaseHistory.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)
