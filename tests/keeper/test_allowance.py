"""L12 under L6: those in trouble leave a part of the common allowance to those who are not."""

from broker.core import budget
from tests.fakes.clock import settle
from tests.keeper.test_keyring import Ring

LIFE = 12.0


async def test_l12_many_in_trouble_do_not_keep_a_healthy_one_from_renewing():
    """Tokens of seconds make retries of seconds; ten such identities want far more than all may ask together."""
    sick = [f"sick-{number}" for number in range(10)]
    ring = Ring(*sick, "well")
    await ring.tick()
    for issuer in ring.issuers.values():
        issuer.grant(life=LIFE)
    await settle()
    for second in range(120):
        # Their workloads ask all the time, and come before the tick.
        await ring.clock.advance(1)
        for name in sick:
            ring.ring[name].observe()
        await ring.tick()
        for name in sick:
            if ring.issuers[name].calls:
                ring.issuers[name].fail()
        if ring.issuers["well"].calls:
            ring.issuers["well"].grant(life=LIFE)
        await settle()
        held = ring.ring["well"].lease.held
        assert held is not None, second
        assert held.span.deadline > ring.clock.now(), second
    await ring.ring.aclose()


async def test_l6_a_first_failure_does_not_wait_for_the_reserve_to_fill():
    """What is kept back is a small part: identities that all fail at start are still asked again within seconds."""
    names = [f"id-{number:02}" for number in range(budget.TOTAL_BURST)]
    ring = Ring(*names)
    await ring.tick()
    for name in names:
        ring.issuers[name].fail()
    await settle()
    for _ in range(budget.TOTAL_RESERVE + 1):
        await ring.tick(1)
    assert sum(issuer.asked for issuer in ring.issuers.values()) == len(names) + 1
    await ring.ring.aclose()


async def test_l12_one_hiccup_beside_forty_dead_ones_costs_no_token():
    """Whoever still holds a token keeps the reserve after a failure; it must not queue behind those who have nothing."""
    dead = [f"dead-{number:02}" for number in range(40)]
    ring = Ring(*dead, "well")
    well, hiccups = ring.issuers["well"], 1
    for second in range(1200):
        await ring.tick(1)
        for name in dead:
            if ring.issuers[name].calls:
                ring.issuers[name].fail()
        if well.calls and well.landed and hiccups:
            well.fail()
            hiccups -= 1
        elif well.calls:
            well.grant(life=600)
        await settle()
        held = ring.ring["well"].lease.held
        assert second < 120 or (held is not None and held.span.deadline > ring.clock.now()), second
    assert hiccups == 0
    assert well.landed > 1
    await ring.ring.aclose()


async def test_l6_each_of_many_dead_ones_has_its_turn():
    dead = [f"dead-{number:02}" for number in range(60)]
    ring = Ring(*dead)
    for _ in range(600):
        await ring.tick(1)
        for issuer in ring.issuers.values():
            if issuer.calls:
                issuer.fail()
        await settle()
    asked = [issuer.asked for issuer in ring.issuers.values()]
    assert min(asked) >= max(asked) / 2
    await ring.ring.aclose()
