"""S3 credentials over HTTP: as AWS' SDKs read them, for who may read the identity, written down, and never remembered."""

import asyncio
import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from broker.core.access import Grant, Owner, Policy
from broker.core.errors import Fault, IamError
from broker.core.s3 import Wish
from broker.core.secret import Secret
from tests.fakes.exchange import OTHER_REGION, REGION, USUAL
from tests.serving.house import SOCKET, Readable, house, until

S3 = "/v1/identities/default/s3-credentials"


async def test_they_are_in_awss_words(tmp_path: Path):
    async with house(tmp_path, "default") as broker:
        await broker.issued()
        answer = await broker.get(S3)
        ends = (broker.clock.wall() + timedelta(seconds=1799)).strftime("%Y-%m-%dT%H:%M:%SZ")
        assert answer.status == 200
        assert answer.tree == {
            "AccessKeyId": "AKIA1",
            "SecretAccessKey": "s3-secret-1",
            "Token": "s3-session-1",
            "Expiration": ends,
        }
        assert answer.headers["Content-Type"].startswith("application/json")
        assert answer.headers["Cache-Control"] == "no-store"
        assert broker.exchanges["default"].asked == [("token-of-default", USUAL)]


@pytest.mark.parametrize(
    ("step", "life", "told"),
    [
        (0.0, 43_200.0, 1799),
        (0.0, 600.0, 599),  # those of the token that they were made with
        (-3600.0, 43_200.0, -1801),  # a wall clock that is behind: SDKs reckon by it
        (600.0, 43_200.0, 1799 - 600),  # one that is ahead: they rather ask too early than use what has ended
    ],
)
async def test_their_end_is_told_by_the_soonest_of_all_clocks(
    tmp_path: Path, step: float, life: float, told: int
):
    async with house(tmp_path, "default") as broker:
        await broker.issued(life=life)
        held = broker.keyring["default"].lease.held
        assert held is not None
        right = broker.clock.wall()
        assert (await broker.get(S3)).status == 200
        broker.clock.wall_step = timedelta(seconds=step)
        shown = (await broker.get(S3)).tree["Expiration"]
        at = right + timedelta(seconds=told if step >= 0 else step + 1799)
        if step > 0:
            at = right + timedelta(seconds=1800)  # object storage's own clock is the sooner
        assert shown == at.strftime("%Y-%m-%dT%H:%M:%SZ")


async def test_region_and_duration_may_be_chosen(tmp_path: Path):
    async with house(tmp_path, "default") as broker:
        await broker.issued()
        answer = await broker.get(f"{S3}?region={OTHER_REGION}&duration=3600")
        assert (answer.status, answer.tree["AccessKeyId"]) == (200, "AKIA1")
        await broker.get(f"{S3}?duration=3600")
        asked = [wish for _, wish in broker.exchanges["default"].asked]
        assert asked == [Wish(OTHER_REGION, 3600), Wish(REGION, 3600)]


@pytest.mark.parametrize(
    "query",
    [
        "region=evil.example",
        "region=evil.example%2F",
        "region=a@b",
        "region=",
        "region=KR",
        f"region={'a' * 64}",
        "region=kr-central-2&region=kr-east-1",
        "duration=0",
        "duration=59",
        "duration=43201",
        "duration=1e3",
        "duration=-60",
        "duration=30m",
        "duration=60&duration=70",
        "url=https://evil.example",
        "provider=x",
    ],
)
async def test_what_cannot_be_meant_is_refused_and_not_repeated(tmp_path: Path, query: str):
    async with house(tmp_path, "default") as broker:
        await broker.issued()
        answer = await broker.get(f"{S3}?{query}")
        assert (answer.status, answer.tree["code"]) == (400, "bad_request")
        assert "evil" not in answer.tree["detail"]
        assert broker.exchanges["default"].asked == []


async def test_a_region_that_is_not_to_be_had_is_told_and_not_repeated(tmp_path: Path):
    async with house(tmp_path, "default") as broker:
        await broker.issued()
        answer = await broker.get(f"{S3}?region=elsewhere")
        assert (answer.status, answer.tree["code"]) == (404, "not_found")
        assert "elsewhere" not in answer.tree["detail"]
        assert broker.exchanges["default"].asked == []


async def test_only_who_may_read_the_identity_gets_them_and_it_is_written_down(tmp_path: Path):
    nobody, me = Owner(uid=4711, in_container=True), frozenset({os.getuid()})
    async with house(
        tmp_path, "default", "other", policy=Policy(nobody, (Grant("other"), Grant("default", users=me)))
    ) as broker:
        await broker.issued()
        await broker.issued("other")
        assert (await broker.get(S3)).status == 200
        for name in ("other", "no-such-name"):
            answer = await broker.get(f"/v1/identities/{name}/s3-credentials")
            assert (answer.status, answer.tree["code"]) == (403, "access_denied")
        [(caller, identity, by, digest, life)] = broker.audit.hand_outs
        assert broker.audit.what == ["s3_credentials"]
        assert (caller.uid, caller.listener) == (os.getuid(), SOCKET)
        assert (identity, by, digest) == ("default", "grants[1]", Secret("token-of-default").sha256())
        assert life == 1799.0
        assert broker.books.tokens == [], "it was no token"
        assert broker.exchanges["other"].asked == []


async def test_who_has_waited_is_judged_by_the_rules_of_then(tmp_path: Path):
    async with house(tmp_path, "default", policy=Readable("default")) as broker:
        await broker.issued()
        broker.exchanges["default"].hold = True
        request = broker.ask(S3, prefer="wait=10")
        await until(lambda: broker.exchanges["default"].calls)
        broker.regrant()
        broker.exchanges["default"].answer()
        answer = await request
        assert (answer.status, answer.tree["code"]) == (403, "access_denied")
        assert broker.audit.hand_outs == []


async def test_a_head_takes_nothing_away(tmp_path: Path):
    async with house(tmp_path, "default") as broker:
        await broker.issued()
        answer = await broker.get(S3, "HEAD")
        assert (answer.status, answer.body) == (200, b"")
        assert broker.audit.hand_outs == []


async def test_how_long_a_caller_waits_is_its_own_affair(tmp_path: Path):
    async with house(tmp_path, "default") as broker:
        await broker.issued()
        broker.exchanges["default"].hold = True
        hasty, patient = broker.ask(S3), broker.ask(S3, prefer="wait=20")
        await until(lambda: broker.clock.waiting == 2)
        await broker.clock.advance(1)
        answer = await hasty
        assert (answer.status, answer.tree["code"]) == (503, "iam_unavailable")
        assert answer.headers["Retry-After"] == "1"
        assert (await broker.get("/v1/token")).status == 200, "a token does not wait for it (L3)"
        broker.exchanges["default"].answer()
        answer = await patient
        assert (answer.status, answer.headers["Preference-Applied"]) == (200, "wait=20")
        assert len(broker.exchanges["default"].asked) == 1


async def test_a_failure_says_why_and_when_and_makes_nothing_unready(tmp_path: Path):
    async with house(tmp_path, "default") as broker:
        await broker.issued()
        broker.exchanges["default"].refusals = [IamError(Fault.THROTTLED, "it is busy", 40.0)]
        answer = await broker.get(S3)
        assert (answer.status, answer.tree["code"], answer.tree["detail"]) == (
            503,
            "iam_throttled",
            "it is busy",
        )
        assert answer.headers["Retry-After"] == "40"
        ready = await broker.get("/readyz")
        assert (ready.status, ready.tree["identities"]["default"]["degraded"]) == (200, [])


async def test_who_wishes_for_much_is_paced_and_others_are_not(tmp_path: Path):
    async with house(tmp_path, "default") as broker:
        await broker.issued()
        for number in range(7):
            assert (await broker.get(f"{S3}?duration={600 + number}")).status == 200
        told = []
        for number in range(7, 16):
            await broker.clock.advance(10)
            told.append(await broker.get(f"{S3}?duration={600 + number}"))
        refusals = [answer.tree["detail"] for answer in told if answer.status == 503]
        assert refusals
        assert all("this user has asked for many" in detail for detail in refusals)
        assert (await broker.get(S3)).status == 200
        assert (await broker.get(f"{S3}?duration=606")).status == 200, "what is there costs nothing"


async def test_the_lane_never_remembers_them(tmp_path: Path):
    """Else they would be given out after their end, and without a line in the audit that says what they are."""
    async with house(tmp_path, "default") as broker:
        await broker.issued()
        for _ in range(3):
            assert (await broker.get(S3)).tree["AccessKeyId"] == "AKIA1"
        assert not broker.desk.allowed._all
        await broker.clock.advance(1700)
        broker.exchanges["default"].life = None
        assert (await broker.get(S3)).tree["AccessKeyId"] == "AKIA2"
        assert broker.audit.what == ["s3_credentials"] * 4


async def test_nothing_is_handed_out_at_or_after_its_end(tmp_path: Path):
    """L1, to the second, while object storage is away."""
    async with house(tmp_path, "default") as broker:
        await broker.issued()
        assert (await broker.get(S3)).status == 200
        broker.exchanges["default"].refusals = [IamError(Fault.UNAVAILABLE, "away")] * 1000
        await broker.clock.advance(1796)
        assert (await broker.get(S3)).tree["AccessKeyId"] == "AKIA1"
        await broker.clock.advance(2)
        assert (await broker.get(S3)).status == 503


async def test_an_identity_whose_tokens_may_go_nowhere_says_so(tmp_path: Path):
    async with house(tmp_path, "default") as broker:
        await broker.issued()
        member = broker.desk.members["default"]
        alone = replace(member, s3=type(member.s3)(member.keeper, None, broker.clock, USUAL))
        broker.desk.members["default"] = alone  # type: ignore[index]
        answer = await broker.get(S3)
        assert (answer.status, answer.tree["code"]) == (404, "not_found")
        assert "[s3] url" in answer.tree["detail"]


async def test_a_broker_that_ends_lets_nobody_wait(tmp_path: Path):
    async with house(tmp_path, "default") as broker:
        request = broker.ask(S3, prefer="wait=30")
        await until(lambda: broker.clock.waiting)
        broker.keyring.end(broker.clock.now())
        answer = await asyncio.wait_for(request, 5)
        assert answer.status == 503
