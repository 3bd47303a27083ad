"""L12: one identity's trouble is its own; L6: what all together may ask goes first to those who have nothing."""

from hypothesis import given, settings
from hypothesis import strategies as st

from broker.core import lease
from broker.core.errors import Fault
from broker.core.lease import State
from broker.keeper.keyring import Keyring
from tests.core.builders import key
from tests.fakes.clock import FakeClock, settle
from tests.fakes.issuer import FakeIssuer, FakeSource
from tests.keeper.build import keeper, setting


class Ring:
    """Several keepers, each with an IAM of its own, on one clock and one allowance."""

    def __init__(self, *names: str) -> None:
        self.clock = FakeClock()
        shared = setting(self.clock)
        self.issuers = {name: FakeIssuer(self.clock) for name in names}
        self.ring = Keyring(
            {name: keeper(shared, self.issuers[name], FakeSource(key(name)), name=name) for name in names},
            self.clock,
        )

    async def tick(self, seconds: float = 0.0) -> None:
        await self.clock.advance(seconds)
        self.ring.observe()
        await settle()


TROUBLES = st.sampled_from(["hang", "break", *Fault])


@settings(max_examples=30, deadline=None)
@given(troubles=st.lists(TROUBLES, min_size=1, max_size=12), step=st.floats(1, 40))
async def test_l12_the_healthy_one_never_waits_for_the_troubled_one(troubles, step):
    ring = Ring("sick", "well")
    sick, well = ring.issuers["sick"], ring.issuers["well"]
    for trouble in troubles:
        await ring.tick(step)
        if trouble == "break" and sick.calls:
            sick.break_down()
        elif trouble != "hang" and sick.calls:
            sick.fail(Fault(trouble))
        if well.calls:
            well.grant(life=120)
            await settle()
        held = await ring.ring["well"].token(ring.clock.now())
        assert held.token.value.reveal() == f"token-{well.landed}"
        assert held.span.deadline > ring.clock.now()
    await ring.ring.aclose()


async def test_l12_ticks_alone_keep_the_healthy_one_fresh_beside_troubled_ones():
    ring = Ring("broken", "hanging", "well")
    well = ring.issuers["well"]
    for second in range(300):
        await ring.tick(1)
        if ring.issuers["broken"].calls:
            ring.issuers["broken"].fail()
        if well.calls:
            well.grant(life=60)
        await settle()
        held = ring.ring["well"].lease.held
        assert second == 0 or (held is not None and held.span.deadline > ring.clock.now())
    await ring.ring.aclose()


async def test_l6_all_together_ask_no_more_than_the_common_allowance():
    names = [f"id-{number:02}" for number in range(30)]
    ring = Ring(*names)
    await ring.tick()
    assert sum(issuer.asked for issuer in ring.issuers.values()) == 20
    await ring.tick(3)
    assert sum(issuer.asked for issuer in ring.issuers.values()) == 23
    await ring.ring.aclose()


async def test_l6_who_has_nothing_goes_first():
    names = [f"id-{number:02}" for number in range(25)]
    ring = Ring(*names)
    await ring.tick()
    for name in names[:20]:
        ring.issuers[name].grant(life=20)
    await settle()
    # All twenty are due again, five have nothing yet, and the allowance is spent but for five.
    await ring.clock.advance(5)
    ring.clock.at += 10.5
    ring.ring["id-00"]._setting.allowance._bucket = type(ring.ring["id-00"]._setting.allowance._bucket)(
        20, 5.0, ring.clock.at
    )
    ring.ring.observe()
    await settle()
    assert [ring.issuers[name].asked for name in names[20:]] == [1] * 5
    await ring.ring.aclose()


async def test_l12_a_defect_in_one_tick_costs_the_others_nothing(monkeypatch):
    ring = Ring("a-broken", "well")

    def broken(_min_ttl: float = 0.0) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(ring.ring["a-broken"], "observe", broken)
    await ring.tick()
    assert ring.issuers["well"].calls
    await ring.ring.aclose()


async def test_a_tick_takes_many_identities_a_few_at_a_time_and_comes_to_all():
    """Between two parts of it others have their turn; who was taken out meanwhile is passed over."""
    names = [f"i{place:03}" for place in range(120)]
    ring = Ring(*names)
    ring.ring.tick()
    asked = [name for name in names if lease.in_flight(ring.ring[name].lease)]
    assert 0 < len(asked) <= 30
    ring.ring.tick()  # before the last one is over: it adds nothing
    assert [name for name in names if lease.in_flight(ring.ring[name].lease)] == asked
    gone = ring.ring.take(names[-1])
    await settle()
    assert not lease.in_flight(gone.lease)
    seen = [name for name in names[:-1] if ring.ring[name].lease.state is not State.EMPTY]
    assert len(seen) >= 20, "as many as the common allowance lets ask"
    await ring.ring.aclose()


async def test_keys_of_many_identities_are_not_looked_at_in_one_second():
    names = [f"i{place:03}" for place in range(100)]
    ring = Ring(*names)
    looked = []
    for _ in range(6):
        await ring.clock.advance(1.0)
        before = {name: ring.ring[name]._looking for name in names}
        ring.ring.observe()
        looked.append(sum(ring.ring[name]._looking is not before[name] for name in names))
        await settle()
    assert max(looked) < 50
    assert sum(looked) >= 100, "each within five seconds"
    await ring.ring.aclose()
