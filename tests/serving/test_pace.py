"""What one caller may have IAM asked is its own affair: others are heard as before, and reading a token is not limited."""

import asyncio
import json
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from broker.core.access import Workload
from broker.core.secret import Secret
from broker.keeper.setting import Validation
from broker.serving.pace import ASKING, FORCING, Rate
from tests.serving.house import SOCKET, Answer, House, house, parsed, until

HOSTILE, GOOD = 1001, 1002
END = "HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"


@dataclass
class Mask:
    """A proof by which whoever connects is the user that the test says."""

    uid: int = GOOD

    def __call__(self, connection: object) -> Workload:
        assert connection is not None
        return Workload(self.uid, 1, 2, SOCKET)


@dataclass
class Scene:
    """A house, and users who ask it."""

    broker: House
    mask: Mask

    async def token(self, uid: int, query: str = "", prefer: str = "wait=1", name: str = "default") -> Answer:
        self.mask.uid = uid
        request = f"GET /v1/identities/{name}/token{query} {END}Prefer: {prefer}\r\n\r\n"
        return parsed(await self.broker.raw(request.encode()))

    async def report(self, uid: int, name: str = "default", prefer: str = "wait=1") -> Answer:
        """That the token at hand is refused."""
        held = self.broker.keyring[name].lease.held
        assert held is not None
        return await self.report_of(uid, held.token.value, name, prefer)

    async def report_of(
        self, uid: int, token: Secret, name: str = "default", prefer: str = "wait=1"
    ) -> Answer:
        self.mask.uid = uid
        body = json.dumps({"sha256": token.sha256()})
        head = f"POST /v1/identities/{name}/rejections {END}Prefer: {prefer}\r\n"
        return parsed(await self.broker.raw(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()))

    async def longer(self, uid: int, token: str) -> Answer:
        """Ask for ten seconds of life, of twenty; IAM gives this token if it is asked."""
        iam, ask = (
            self.broker.issuers["default"],
            asyncio.create_task(self.token(uid, "?min_ttl=10", "wait=5")),
        )
        await until(lambda: iam.calls or ask.done())
        if iam.calls:
            iam.grant(token, 20.0)
        return await ask

    def left(self, uid: int, rate: Rate = ASKING) -> float:
        """How much is left of a user's bucket."""
        bucket = self.broker.desk.pace._buckets.get((uid, rate))
        return rate.burst if bucket is None else bucket.level_at(self.broker.clock.now(), rate.every)

    async def granted(self, token: str, life: float = 43200.0) -> None:
        """IAM gives the token that it is asked for."""
        iam = self.broker.issuers["default"]
        await until(lambda: iam.calls)
        iam.grant(token, life)


@asynccontextmanager
async def scene(
    folder: Path, *names: str, life: float = 43200.0, validation: Validation | None = None
) -> AsyncIterator[Scene]:
    """Each identity holds a token that was validated once, where anything is validated."""
    mask, checked = Mask(), validation or Validation(methods=())
    async with house(folder, *(names or ("default",)), prove=mask, validation=checked) as broker:
        for name in broker.keyring:
            await broker.issued(name, life)
        if validation is not None:
            await broker.clock.advance(30)  # in which the budget of all fills
            broker.keyring.observe()
            await until(lambda: all(broker.keyring[name].lease.watch.evidence for name in broker.keyring))
        yield Scene(broker, mask)


def told(answer: Answer) -> tuple[str, str | None]:
    assert answer.status == 200, answer.tree
    return answer.tree["outcome"], answer.tree["token"] and answer.tree["token"]["token"]


async def test_who_reports_too_much_is_deferred_and_another_user_is_heard(tmp_path: Path):
    names = [f"i{number}" for number in range(ASKING.burst + 1)]
    async with scene(tmp_path, *names, validation=Validation()) as those:
        for name in names[:-1]:
            assert told(await those.report(HOSTILE, name))[0] == "still_valid"
            await those.broker.clock.advance(1)  # of which the budget of all lets one leave
        last, iam = names[-1], those.broker.issuers[names[-1]]
        answer = await those.report(HOSTILE, last)
        assert told(answer) == ("deferred", f"token-of-{last}")
        assert answer.tree["retry_after"] == ASKING.every - ASKING.burst
        assert len(iam.validated) == 1
        # A report that is not heard opens no window, in which that of another would be taken for a repetition.
        assert told(await those.report(GOOD, last))[0] == "still_valid"
        assert len(iam.validated) == 2
        assert (await those.token(HOSTILE, name=last)).status == 200


async def test_who_was_deferred_is_heard_when_it_was_told(tmp_path: Path):
    async with scene(tmp_path, validation=Validation()) as those:
        for _ in range(ASKING.burst):
            those.broker.desk.pace.take(HOSTILE, those.broker.clock.now())
        answer = await those.report(HOSTILE)
        assert told(answer)[0] == "deferred"
        await those.broker.clock.advance(answer.tree["retry_after"])
        assert told(await those.report(HOSTILE))[0] == "still_valid"


async def test_one_user_forces_few_tokens_and_leaves_the_next_to_another(tmp_path: Path):
    """Forced tokens come ever more rarely, for all users of the identity: down to one an hour (L9)."""
    async with scene(tmp_path, validation=Validation()) as those:
        iam, clock = those.broker.issuers["default"], those.broker.clock
        for second in range(3000):
            await those.report(HOSTILE, prefer="wait=0")
            await clock.advance(1)
            those.broker.keyring.observe()
            if iam.calls:
                iam.grant(f"forced-{second}")
                await clock.advance(0)
        assert iam.asked - 1 == FORCING.burst
        assert told(await those.report(HOSTILE))[0] == "still_valid", "what is known is told on"
        await clock.advance(30)
        assert told(await those.report(GOOD))[0] == "still_valid"
        again = asyncio.create_task(those.report(GOOD, prefer="wait=5"))
        await those.granted("for the good")
        assert told(await again) == ("replaced", "for the good")


async def test_a_hundred_reports_of_one_user_at_once_are_one(tmp_path: Path):
    async with scene(tmp_path, validation=Validation()) as those:
        those.broker.issuers["default"].dead.add("token-of-default")
        token = Secret("token-of-default")
        reports = [asyncio.create_task(those.report_of(GOOD, token, prefer="wait=5")) for _ in range(100)]
        await those.granted("fresh")
        answers = [told(answer) for answer in await asyncio.gather(*reports)]
        assert {token for _, token in answers} == {"fresh"}
        assert {outcome for outcome, _ in answers} <= {"replaced", "superseded"}
        assert those.left(GOOD) == ASKING.burst - 1


async def test_a_report_of_another_token_costs_nothing(tmp_path: Path):
    async with scene(tmp_path, validation=Validation()) as those:
        for _ in range(20):
            assert told(await those.report_of(GOOD, Secret("one of before")))[0] == "superseded"
        assert those.left(GOOD) == ASKING.burst


async def test_where_lives_cannot_be_checked_a_report_takes_from_what_may_be_forced(tmp_path: Path):
    async with scene(tmp_path) as those:
        for _ in range(FORCING.burst):
            those.broker.desk.pace.take(HOSTILE, those.broker.clock.now(), FORCING)
        answer = await those.report(HOSTILE)
        assert told(answer)[0] == "deferred"
        assert answer.tree["retry_after"] == FORCING.every
        report = asyncio.create_task(those.report(GOOD))
        await those.granted("fresh")
        assert told(await report) == ("replaced", "fresh")


async def test_who_asks_for_much_life_too_often_is_refused_and_another_user_is_not(tmp_path: Path):
    """A token of seconds could else be replaced by each request; without `min_ttl` everybody reads on."""
    async with scene(tmp_path, life=20.0) as those:
        refreshed = 0
        while (answer := await those.longer(HOSTILE, f"token-{refreshed}")).status == 200:
            refreshed += 1
            await those.broker.clock.advance(9.5)
        assert ASKING.burst < refreshed < 2 * ASKING.burst
        assert (answer.status, answer.tree["code"]) == (503, "min_ttl_unavailable")
        assert 1 <= answer.tree["retry_after"] <= ASKING.every
        assert answer.headers["Retry-After"] == str(answer.tree["retry_after"])
        for _ in range(50):
            assert (await those.token(HOSTILE)).status == 200
        assert (await those.longer(GOOD, "for the good")).tree["token"] == "for the good"


async def test_all_who_wait_for_one_early_refresh_pay_once(tmp_path: Path):
    async with scene(tmp_path, life=1000.0) as those:
        await those.broker.clock.advance(499.5)
        asks = [asyncio.create_task(those.token(GOOD, "?min_ttl=500", "wait=5")) for _ in range(50)]
        await until(lambda: those.broker.clock.waiting == 50)
        await those.granted("longer", 1000.0)
        assert {(await ask).tree["token"] for ask in asks} == {"longer"}
        assert those.left(GOOD) == ASKING.burst - 1


async def test_what_is_due_anyway_and_what_is_refused_at_once_costs_nothing(tmp_path: Path):
    async with scene(tmp_path, life=1000.0) as those:
        assert (await those.token(GOOD, "?min_ttl=400")).status == 200  # it lives long enough
        assert (await those.token(GOOD, "?min_ttl=501")).status == 503  # more than half a life
        await those.broker.clock.advance(800)
        ask = asyncio.create_task(those.token(GOOD, "?min_ttl=500", "wait=5"))
        await those.granted("due", 1000.0)
        assert (await ask).tree["token"] == "due"
        assert those.left(GOOD) == ASKING.burst


async def test_who_waits_until_iam_may_be_asked_again_pays_then_and_once_for_all(tmp_path: Path):
    async with scene(tmp_path, life=1000.0) as those:
        iam, clock = those.broker.issuers["default"], those.broker.clock
        await clock.advance(499.5)
        first = asyncio.create_task(those.token(GOOD, "?min_ttl=500", "wait=1"))
        await until(lambda: iam.calls)
        iam.fail(retry_after=3.0)
        assert (await first).status == 503
        assert (await those.token(GOOD, "?min_ttl=500", "wait=1")).status == 503
        asks = [asyncio.create_task(those.token(GOOD, "?min_ttl=500", "wait=30")) for _ in range(20)]
        await until(lambda: clock.waiting == 20)
        assert those.left(GOOD) == pytest.approx(ASKING.burst - 1, abs=0.1)
        keeper = those.broker.keyring["default"]
        await clock.advance(math.ceil(keeper.next_try(clock.now(), 500.0) - clock.now()))
        await those.granted("longer", 1000.0)
        assert {(await ask).tree["token"] for ask in asks} == {"longer"}
        assert those.left(GOOD) == pytest.approx(ASKING.burst - 2, abs=0.3)
