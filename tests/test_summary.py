"""The broker in one line: what is held, what is not in order, and when something happens next."""

from pathlib import Path

import pytest

from broker.keeper.setting import Validation
from broker.summary import summary
from tests.serving.house import House, house, until


async def told(broker: House) -> str:
    return summary(broker.keyring, broker.clock.now())


async def test_what_is_in_order(tmp_path: Path):
    async with house(tmp_path, "default", "shop", validation=Validation()) as broker:
        await broker.issued("default")
        await broker.issued("shop", life=100_000.0)
        at = min(broker.keyring[name].lease.held.span.due_at for name in broker.keyring)  # type: ignore[union-attr]
        broker.clock.at = at - 2 * 3600 - 14 * 60
        assert await told(broker) == "2 identities, next refresh in 2 h 10 min"
        broker.clock.at = at - 14 * 60 - 59
        assert await told(broker) == "2 identities, next refresh in 14 min"
        broker.clock.at = at - 59
        assert await told(broker) == "2 identities, next refresh within a minute"


async def test_who_has_no_token_and_why(tmp_path: Path):
    async with house(tmp_path, "default", validation=Validation()) as broker:
        assert await told(broker) == "1 identity; without a token: default"
        broker.keyring.observe()
        await until(lambda: broker.issuers["default"].calls)
        broker.issuers["default"].fail()
        await until(lambda: broker.keyring["default"].lease.trouble)
        assert await told(broker) == "1 identity; without a token: default; degraded: iam_unavailable"


async def test_of_many_a_few_are_named(tmp_path: Path):
    names = [f"number-{index}" for index in range(8)]
    async with house(tmp_path, *names) as broker:
        line = await told(broker)
        assert line == f"8 identities; without a token: {', '.join(names[:5])} and 3 more"


@pytest.mark.parametrize("seconds", range(0, 600, 60))
async def test_it_stays_the_same_for_minutes(tmp_path: Path, seconds: int):
    async with house(tmp_path, "default") as broker:
        await broker.issued()
        held = broker.keyring["default"].lease.held
        assert held is not None
        broker.clock.at = held.span.due_at - 3 * 3600 - 1 - seconds
        assert await told(broker) == "1 identity, next refresh in 3 h"
