"""What is not in order with an identity: each reason has a sentence with what to do, in its state and in readiness."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from broker.core.errors import Fault, IamError
from broker.core.model import AccessKey, KeyFacts, Named
from broker.keeper.keeper import Keeper
from broker.keeper.places import KeyPlace
from broker.keeper.setting import Allowance, Setting, Validation
from broker.serving import answers
from tests.core.builders import key
from tests.fakes.clock import FakeClock
from tests.fakes.issuer import FakeIssuer, FakeSource
from tests.fakes.store import FakeStore
from tests.serving.house import House, house, until

STATE = "/v1/identities/default"


async def shown(broker: House) -> dict[str, Any]:
    """The state, which readiness agrees with, and which holds no secret."""
    answer = await broker.get(STATE)
    assert answer.status == 200
    report = (await broker.get("/readyz/default")).tree
    assert report["degraded"] == answer.tree["degraded"]
    assert "reasons" not in report, "who asks there is not known, and they name projects and roles"
    assert [reason["code"] for reason in answer.tree["reasons"]] == answer.tree["degraded"]
    assert all(reason["detail"] for reason in answer.tree["reasons"])
    assert b"secret-of" not in answer.body
    return answer.tree


def details(tree: dict[str, Any]) -> dict[str, str]:
    return {reason["code"]: reason["detail"] for reason in tree["reasons"]}


async def turn(broker: House, seconds: float = 0.0) -> None:
    """One tick, so many seconds later."""
    await broker.clock.advance(seconds)
    broker.keyring.observe()
    await broker.clock.advance(0)


async def asked(broker: House, ref: str) -> None:
    """IAM is asked for a token, with the key of this ref."""
    await until(lambda: broker.issuers["default"].calls)
    assert broker.issuers["default"].calls[0][0].ref == ref


async def gets_key(broker: House, place: int, given: AccessKey | None) -> None:
    """A source holds another key from now on, and the broker has looked."""
    keeper = broker.keyring["default"]
    await until(lambda: keeper._looking is None)  # or a look that began before would count for this one
    broker.sources["default"][place].key = given
    keeper.look_at_keys()
    await until(lambda: keeper._looking is None)


def lands(broker: House) -> Callable[[], bool]:
    return lambda: broker.keyring["default"].lease.state.value in {"empty", "held"}


async def test_the_standby_in_use_says_why_and_which_key_it_is(tmp_path: Path):
    async with house(tmp_path, "default", standby=True) as broker:
        broker.keyring.observe()
        await asked(broker, "default")
        broker.issuers["default"].fail(Fault.REJECTED)
        await asked(broker, "default-2")
        broker.issuers["default"].grant("by the standby")
        await until(lands(broker))
        tree = await shown(broker)
        assert (tree["state"], tree["key"], tree["key_in_use"]) == ("fresh", "default-2", "standby")
        assert tree["degraded"] == ["standby_key_in_use"]
        assert details(tree)["standby_key_in_use"] == (
            "the standby access key serves in place of the primary one; it is rejected"
        )
        primary, standby = tree["keys"]
        assert (primary["place"], primary["standing"], primary["detail"]) == (
            "primary",
            "rejected",
            "it is rejected",
        )
        assert (standby["place"], standby["standing"], standby["label"]) == ("standby", "good", "default-2")


async def test_a_standby_and_a_new_key_that_do_not_work_are_told_apart(tmp_path: Path):
    async with house(tmp_path, "default", standby=True) as broker:
        await broker.issued()
        broker.keyring.observe()
        await asked(broker, "default-2")
        broker.issuers["default"].fail(Fault.REJECTED, retry_after=200.0)
        await until(lands(broker))
        await gets_key(broker, 0, key("newer"))
        await asked(broker, "newer")
        broker.issuers["default"].fail(Fault.REJECTED, retry_after=200.0)
        await until(lands(broker))
        tree = await shown(broker)
        assert details(tree) == {
            "standby_key_rejected": "it is rejected",
            "new_key_rejected": "it is rejected; until then the primary access key of before stays",
        }
        assert [(row["label"], row["new"], row["standing"]) for row in tree["keys"]] == [
            ("newer", True, "rejected"),
            ("default", False, "good"),
            ("default-2", False, "rejected"),
        ]
        assert (tree["key"], tree["key_in_use"]) == ("default", "primary")


async def test_a_key_of_another_project_says_so(tmp_path: Path):
    async with house(tmp_path, "default", standby=True) as broker:
        await broker.issued()
        broker.keyring.observe()
        await asked(broker, "default-2")
        broker.issuers["default"].grant("foreign", project=Named("p2", "other"))
        await until(lands(broker))
        tree = await shown(broker)
        assert "belongs to the project other" in details(tree)["key_project_mismatch"]
        assert tree["keys"][1]["standing"] == "foreign"


async def test_with_no_key_to_ask_with_there_is_no_next_try_and_no_retry_after(tmp_path: Path):
    async with house(tmp_path, "default") as broker:
        await broker.issued()
        keeper = broker.keyring["default"]
        keeper.rekey([])  # the configuration names none
        await until(lambda: not keeper.lease.keys)
        await turn(broker, 50_000)
        tree = await shown(broker)
        assert (tree["state"], tree["next_try"], tree["keys"], tree["key_in_use"]) == (
            "empty",
            None,
            [],
            None,
        )
        answer = await broker.get("/v1/token")
        assert (answer.status, answer.tree["code"]) == (503, "not_ready")
        assert "retry_after" not in answer.tree
        assert "Retry-After" not in answer.headers
        rejection = await broker.reject("token-of-default")
        assert rejection.tree == {"outcome": "deferred", "token": None}


async def test_a_key_that_ends_soon_is_named_with_its_day(tmp_path: Path):
    async with house(tmp_path, "default") as broker:
        broker.keyring.observe()
        await until(lambda: broker.issuers["default"].calls)
        broker.issuers["default"].grant("t", key_expires_at="2026-01-20T00:00:00.000000")
        await until(lambda: broker.keyring["default"].lease.held)
        tree = await shown(broker)
        told = details(tree)["key_expires_soon"]
        assert told.startswith("the primary access key ends at 2026-01-20T00:00:00Z; create a new access key")
        assert tree["key_expires_at"] == "2026-01-20T00:00:00.000000"
        assert tree["keys"][0]["expires_at"] == "2026-01-20T00:00:00Z"


async def test_what_iam_says_of_a_key_is_shown_with_it(tmp_path: Path):
    async with house(tmp_path, "default") as broker:
        broker.issuers["default"].facts = KeyFacts(
            "2027-01-01T00:00:00", restricted=False, access_rules=False
        )
        broker.keyring.observe()
        await until(lambda: broker.issuers["default"].calls)
        broker.issuers["default"].grant("t", key_id="k", roles=(Named("r", "project-admin"),))
        await until(lambda: broker.keyring["default"].lease.held)
        await turn(broker, 5)
        await turn(broker, 5)
        tree = await shown(broker)
        assert (tree["key_expires_at"], tree["degraded"]) == ("2027-01-01T00:00:00Z", [])
        assert set(tree["keys"][0]["risks"]) == {"unrestricted", "admin_role", "no_access_rules"}


async def test_roles_that_were_lost_are_named(tmp_path: Path):
    async with house(tmp_path, "default", validation=Validation()) as broker:
        broker.keyring.observe()
        await until(lambda: broker.issuers["default"].calls)
        roles = (Named("r1", "member"), Named("r2", "reader"), Named("r3", "writer"))
        broker.issuers["default"].grant("t", roles=roles)
        await until(lambda: broker.keyring["default"].lease.held)
        broker.issuers["default"].roles = frozenset({"r1"})
        await turn(broker, 2)
        await asked(broker, "default")
        broker.issuers["default"].grant("u", roles=roles[:1])
        await until(lands(broker))
        tree = await shown(broker)
        assert (tree["roles"], tree["lost_roles"]) == (["member"], ["reader", "writer"])
        assert details(tree)["roles_reduced"].startswith("tokens have lost the roles reader, writer;")


@pytest.mark.parametrize(("rules", "why"), [(True, "has access rules"), (False, "refused every way")])
async def test_validation_that_is_off_says_why(tmp_path: Path, rules: bool, why: str):
    async with house(tmp_path, "default", validation=Validation()) as broker:
        iam = broker.issuers["default"]
        iam.verdict = iam.list_verdict = IamError(Fault.REJECTED, "it is rejected")
        broker.keyring.observe()
        await until(lambda: iam.calls)
        iam.grant("t", access_rules=rules)
        await until(lambda: broker.keyring["default"].lease.held)
        if not rules:
            tree = await shown(broker)
            assert tree["validation"] == {
                "method": "auth-tokens",
                "next": "2026-01-01T00:16:41Z",
                "last_fault": None,
            }
        for _ in range(2):
            await turn(broker, 2)
        tree = await shown(broker)
        assert why in details(tree)["validation_off"]
        assert tree["validation"] == {"method": None, "next": None, "last_fault": None}


async def test_a_validation_that_iam_does_not_answer_is_iams_trouble(tmp_path: Path):
    async with house(tmp_path, "default", validation=Validation()) as broker:
        await broker.issued()
        broker.issuers["default"].verdict = IamError(Fault.UNAVAILABLE, "it is down")
        await turn(broker, 2)
        tree = await shown(broker)
        assert details(tree) == {"iam_unavailable": "it is down"}
        assert (tree["last_fault"], tree["validation"]["last_fault"]["detail"]) == (None, "it is down")
        assert tree["validation"]["method"] == "auth-tokens"


@pytest.mark.parametrize(("step", "way"), [(90, "90 s ahead of"), (-90, "90 s behind")])
async def test_a_clock_that_is_off_says_how_far_and_which_way(tmp_path: Path, step: float, way: str):
    async with house(tmp_path, "default") as broker:
        await broker.issued()
        broker.keyring["default"].skew = timedelta(seconds=step)
        assert details(await shown(broker))["clock_skew"].startswith(f"the host's clock is {way} IAM's;")


async def test_a_cache_that_cannot_be_written_says_what_the_store_says(tmp_path: Path):
    async with house(tmp_path, "default") as broker:
        broker.stores["default"].broken = "the disk is full; make room"
        await broker.issued()
        assert details(await shown(broker)) == {"cache_unwritable": "the disk is full; make room"}


async def test_a_rejected_only_key_carries_iams_words(tmp_path: Path):
    async with house(tmp_path, "default") as broker:
        broker.keyring.observe()
        await until(lambda: broker.issuers["default"].calls)
        broker.issuers["default"].fail(Fault.REJECTED)
        await until(lands(broker))
        tree = await shown(broker)
        assert details(tree) == {"key_rejected": "it is rejected"}
        assert (tree["key"], tree["key_in_use"], tree["last_fault"]["code"]) == (
            "default",
            None,
            "key_rejected",
        )


async def test_a_source_without_a_key_at_start_is_a_row_without_a_label():
    clock = FakeClock()
    setting = Setting(clock, "host", Allowance(clock.now()), lambda: 0.5)
    places = [KeyPlace(FakeSource(key("one")), key("one")), KeyPlace(FakeSource(key("two")), None)]
    keeper = Keeper("default", places, FakeIssuer(clock), FakeStore(), setting)
    tree = answers.identity(keeper, clock.now(), clock.wall())
    assert details(tree)["standby_key_rejected"].startswith("there is no readable standby access key;")
    rows = tree["keys"]
    assert isinstance(rows, list)
    assert [(row["label"], row["standing"]) for row in rows] == [("one", "untried"), (None, "missing")]
    await keeper.aclose()
