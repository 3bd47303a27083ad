"""L1-L11 and L13 over random histories of time, answers, faults, key changes, reports, deaths and restarts."""

from hypothesis import settings
from hypothesis.stateful import invariant

from broker.core import lease
from broker.core.keys import Standing
from broker.core.lease import Action
from broker.core.timing import Phase
from tests.core.history import History


class Invariants(History):
    """What holds after every step."""

    @invariant()
    def l1_nothing_expired_or_dead_is_served(self) -> None:
        served = lease.servable(self.lease, self.now)
        if served is not None:
            assert self.good is not None
            assert self.good.good(self.now)
            assert served.token.value.reveal() not in self.dead

    @invariant()
    def l2_a_good_token_is_served_whatever_iam_does(self) -> None:
        if self.good is not None and self.good.good(self.now):
            served = lease.servable(self.lease, self.now)
            assert served is not None
            assert served.token.value.reveal() == self.good.name

    @invariant()
    def l2_stale_says_that_a_due_refresh_failed(self) -> None:
        due = Phase.DUE <= lease.phase(self.lease, self.now) < Phase.EXPIRED
        assert lease.stale(self.lease, self.now) is (due and self.lease.trouble is not None)

    @invariant()
    def l3_the_lease_knows_what_is_under_way(self) -> None:
        assert lease.in_flight(self.lease) is (self.flight is not None)
        assert self.lease.watch.flying is (self.check is not None)

    @invariant()
    def l6_the_budgets_hold_in_every_window(self) -> None:
        for index, start in enumerate(self.starts):
            spent = len(self.starts) - index
            assert spent <= 5 + 1 + (self.starts[-1] - start) / min(30.0, self.fastest_pace) + 1e-6
        for index, start in enumerate(self.checks):
            spent = len(self.checks) - index
            assert spent <= 5 + 1 + (self.checks[-1] - start) / 10.0 + 1e-6

    @invariant()
    def l10_only_tokens_of_one_project_are_served(self) -> None:
        if self.lease.held is not None:
            assert self.lease.held.token.project.id == self.home

    @invariant()
    def l10_a_place_has_one_settled_key_and_at_most_one_new_one(self) -> None:
        for place in {record.place for record in self.lease.keys}:
            of_place = [record.settled for record in self.lease.keys if record.place is place]
            assert sorted(of_place) in ([True], [False, True])

    @invariant()
    def asking_twice_gives_the_same_answer_and_the_moment_of_it_is_known(self) -> None:
        """Who waits for a token sleeps until `next_issue`: were it to lie in the past for nothing, it would spin."""
        if lease.in_flight(self.lease) or lease.decide(self.lease, self.now) is Action.EXPIRE:
            return
        if lease.next_issue(self.lease, self.now) <= self.now:
            assert lease.decide(self.lease, self.now) is Action.ISSUE

    @invariant()
    def l11_no_state_sticks(self) -> None:
        """Once nothing is under way, hours without a token lead to an attempt, if any key may still be asked."""
        later = self.now + 3600 * 14
        if self.flight is None and self.lease.held is None and self._any_key():
            assert lease.decide(self.lease, later) is Action.ISSUE

    def _any_key(self) -> bool:
        return any(record.standing is not Standing.FOREIGN for record in self.lease.keys)


TestInvariants = Invariants.TestCase
TestInvariants.settings = settings(max_examples=200, stateful_step_count=60, deadline=None)
