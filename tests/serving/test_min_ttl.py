"""`?min_ttl=`: a token that lives long enough, by one early refresh; or at once the reason why not."""

from pathlib import Path

import pytest

from broker.core.errors import Fault
from tests.serving.house import House, house, until

LIFE = 1000.0


async def aged(broker: House, seconds: float) -> None:
    await broker.issued(life=LIFE)
    await broker.clock.advance(seconds)


async def test_a_token_that_lives_long_enough_is_served_without_a_refresh(tmp_path: Path):
    async with house(tmp_path, "default") as broker:
        await broker.issued(life=LIFE)
        for asked in ("0", "499", "500", "0500"):
            answer = await broker.get(f"/v1/token?min_ttl={asked}")
            assert (answer.status, answer.tree["token"]) == (200, "token-of-default")
        assert broker.issuers["default"].asked == 1


async def test_what_is_attainable_brings_one_early_refresh_for_all_who_ask(tmp_path: Path):
    async with house(tmp_path, "default") as broker:
        await aged(broker, 499.5)
        waiters = [broker.ask("/v1/token?min_ttl=500", prefer="wait=5") for _ in range(20)]
        await until(lambda: broker.clock.waiting == 20)
        assert broker.issuers["default"].asked == 2
        # Who asks for no such thing is served on at once meanwhile.
        assert (await broker.get("/v1/token")).tree["token"] == "token-of-default"
        broker.issuers["default"].grant("longer", LIFE)
        assert {(await waiter).tree["token"] for waiter in waiters} == {"longer"}
        assert broker.issuers["default"].asked == 2


async def test_who_asks_waits_within_its_own_time(tmp_path: Path):
    async with house(tmp_path, "default") as broker:
        await aged(broker, 499.5)
        hasty = broker.ask("/v1/token?min_ttl=500")
        patient = broker.ask("/v1/token?min_ttl=500", prefer="wait=10")
        await until(lambda: broker.clock.waiting == 2)
        await broker.clock.advance(1.0)
        answer = await hasty
        assert (answer.status, answer.tree["code"]) == (503, "min_ttl_unavailable")
        assert answer.headers["Retry-After"] == str(answer.tree["retry_after"])
        assert not patient.done()
        broker.issuers["default"].grant("longer", LIFE)
        assert (await patient).tree["token"] == "longer"


@pytest.mark.parametrize(("asked", "age"), [("501", 0.0), ("501", 499.0), ("999", 1.0), ("999999999", 0.0)])
async def test_more_than_half_a_life_is_refused_at_once_and_iam_is_not_asked(
    tmp_path: Path, asked: str, age: float
):
    async with house(tmp_path, "default") as broker:
        await aged(broker, age)
        answer = await broker.get(f"/v1/token?min_ttl={asked}", headers={"Prefer": "wait=30"})
        assert (answer.status, answer.tree["code"]) == (503, "min_ttl_unavailable")
        assert answer.tree["detail"] == "tokens live 1000 s; ask for a min_ttl of at most 500"
        assert "retry_after" not in answer.tree
        assert broker.issuers["default"].asked == 1
        assert (await broker.get("/v1/token")).status == 200


@pytest.mark.parametrize("fault", Fault)
async def test_while_iam_is_in_trouble_the_reason_is_told_and_the_token_is_served_to_others(
    tmp_path: Path, fault: Fault
):
    async with house(tmp_path, "default") as broker:
        await aged(broker, 499.5)
        waiter = broker.ask("/v1/token?min_ttl=500", prefer="wait=5")
        await until(lambda: broker.clock.waiting)
        broker.issuers["default"].fail(fault, retry_after=60.0)
        answer = await waiter
        assert (answer.status, answer.tree["code"]) == (503, "min_ttl_unavailable")
        assert answer.tree["detail"] == f"the token at hand ends too soon: it is {fault}"
        assert answer.tree["retry_after"] >= 60
        again = await broker.get("/v1/token?min_ttl=500", headers={"Prefer": "wait=5"})
        assert again.status == 503
        assert broker.issuers["default"].asked == 2
        assert (await broker.get("/v1/token")).tree["token"] == "token-of-default"


async def test_an_empty_lease_refuses_as_without_it(tmp_path: Path):
    async with house(tmp_path, "default") as broker:
        answer = await broker.get("/v1/token?min_ttl=600", headers={"Prefer": "wait=0"})
        assert (answer.status, answer.tree["code"]) == (503, "not_ready")


@pytest.mark.parametrize(
    "asked",
    ["", "-1", "1.5", "1e3", "+5", "%2B5", "ten", "10s", "%D9%A5", "9999999999", "0x10", "1_0", " 1", "nan"],
)
async def test_what_is_no_number_of_seconds_is_400(tmp_path: Path, asked: str):
    async with house(tmp_path, "default") as broker:
        answer = await broker.get(f"/v1/token?min_ttl={asked}")
        assert (answer.status, answer.tree["code"]) == (400, "bad_request")
        assert answer.tree["detail"] == "min_ttl is a whole number of seconds"
        assert broker.issuers["default"].asked == 0
