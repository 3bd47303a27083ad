"""A real broker whose connections sit in the express lane: rules that change by SIGHUP, and counts that outlive it."""

import asyncio
import json
import re
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from tests.contracts.fake_world import FakeWorld
from tests.e2e import keys
from tests.e2e.conftest import Figures
from tests.e2e.daemon import Daemon, in_toml
from tests.e2e.spoken import SPOKEN
from tests.e2e.waiting import until
from tests.serving.kept import Kept

pytestmark = pytest.mark.e2e

TEXT = b"GET /v1/token?format=text HTTP/1.1\r\nHost: x\r\n\r\n"
NAMED = b"GET /v1/identities/first/token?format=text HTTP/1.1\r\nHost: x\r\n\r\n"
NOBODY = 54321  # a uid that no system has
SOON = 10.0  # seconds


@asynccontextmanager
async def standing(folder: Path, *names: str, audit: str = "stdout") -> AsyncIterator[Daemon]:
    """A broker that has a token for the first of these; for each there is a key, in a folder of its name."""
    async with FakeWorld.serving() as world:
        places = {
            name: keys.directory(folder / name, await world.add_key(await world.add_user())) for name in names
        }
        identities = {names[0]: {"keys": [places[names[0]]]}}
        daemon = Daemon(folder / "b", iam={"url": world.url}, identities=identities, audit=audit)
        async with daemon:
            assert (await daemon.client.token(names[0], wait=10)).status == 200
            yield daemon


@asynccontextmanager
async def connected(daemon: Daemon, count: int) -> AsyncIterator[Sequence[Kept]]:
    """So many connections that stay."""
    async with AsyncExitStack() as stack:
        made = []
        for _ in range(count):
            reader, writer = await asyncio.open_unix_connection(daemon.socket)
            stack.callback(writer.close)
            made.append(Kept(reader, writer))
        yield made


async def status(one: Kept, request: bytes = TEXT) -> int:
    answer = await one.ask(request)
    if answer.status == 200:
        SPOKEN.guard(answer.body.decode(), "a token")
    return answer.status


async def reload(daemon: Daemon, text: str) -> None:
    """Have these settings taken over."""
    before = len(daemon.events("reloaded"))
    daemon.config.write_text(text)
    daemon.send(signal.SIGHUP)

    async def told() -> bool:
        return len(daemon.events("reloaded")) > before

    await until(told, SOON, "the settings are taken over")


def table(head: str, **values: object) -> str:
    return "\n" + "\n".join(in_toml(head, values))


async def test_a_grant_that_goes_is_gone_for_the_very_next_request_of_all(tmp_path: Path) -> None:
    """Rule: on connections that have been answered a hundred times, as on new ones; and one that comes holds at once."""
    async with standing(tmp_path, "first") as daemon, connected(daemon, 20) as them:
        own = daemon.config.read_text()
        others = own + table("[[grants]]", identity="first", users=[str(NOBODY)])
        for _ in range(3):
            for _ in range(5):
                assert [await status(one) for one in them] == [200] * 20
                assert [await status(one, NAMED) for one in them] == [200] * 20
            await reload(daemon, others)
            assert [await status(one) for one in them] == [403] * 20
            assert [await status(one, NAMED) for one in them] == [403] * 20
            async with connected(daemon, 1) as [late]:
                assert await status(late) == 403
            await reload(daemon, own)
            assert [await status(one) for one in them] == [200] * 20


async def test_once_a_grant_has_gone_it_stays_gone_however_many_ask_meanwhile(
    tmp_path: Path, figures: Figures
) -> None:
    """Rule: behind the first refusal nobody is handed a token, on any connection; all ask without a pause."""
    async with standing(tmp_path, "first") as daemon, connected(daemon, 8) as them:
        own = daemon.config.read_text()
        order: list[tuple[int, int]] = []  # how many had been answered when it asked, and what it heard

        async def asking(one: Kept) -> None:
            refused = 0
            while refused < 20:
                began = len(order)
                order.append((began, await status(one)))
                refused += order[-1][1] == 403

        async with asyncio.TaskGroup() as group:
            for one in them:
                group.create_task(asking(one))

            async def served() -> bool:
                return len(order) > 500

            await until(served, SOON, "they are served")
            await reload(daemon, own + table("[[grants]]", identity="first", users=[str(NOBODY)]))
        first = next(place for place, (_, code) in enumerate(order) if code == 403)
        # Those who had asked before may be heard a little later.
        assert all(code == 403 for began, code in order[first:] if began > first)
        figures(asked=len(order), granted=first)


async def test_identities_that_come_and_go_hold_for_connections_that_stay(tmp_path: Path) -> None:
    """Rule: with a second one it must be said which is meant, without the first one it is the second one's token."""
    async with standing(tmp_path, "first", "second") as daemon, connected(daemon, 3) as them:
        own = daemon.config.read_text()
        second = table("[identities.second]", keys=[str(tmp_path / "second")])
        for _ in range(3):
            assert {await status(one) for one in them} == {200}
        before = (await them[0].ask(TEXT)).body
        await reload(daemon, own + second)
        assert {(await one.ask(TEXT)).tree["code"] for one in them} == {"identity_required"}
        assert {await status(one, NAMED) for one in them} == {200}
        await reload(daemon, own[: own.index("[identities.first]")] + second)

        async def there() -> bool:
            return (await daemon.client.token("second", wait=10)).status == 200

        await until(there, SOON, "the second one has a token")
        assert {await status(one, NAMED) for one in them} == {403}
        after = {(await one.ask(TEXT)).body for one in them}
        assert len(after) == 1
        assert before not in after
        SPOKEN.guard(after.pop().decode(), "a token")


async def test_after_sigterm_the_audit_trail_has_every_token_of_the_lane(
    tmp_path: Path, figures: Figures
) -> None:
    """Rule: the sum of `times` is what was handed out, to the last one before the signal; the metrics said the same."""
    trail = tmp_path / "audit.jsonl"
    async with standing(tmp_path, "first", audit=str(trail)) as daemon, connected(daemon, 4) as them:

        async def asking(one: Kept, count: int) -> None:
            for _ in range(count):
                assert await status(one) == 200

        await asyncio.gather(*(asking(one, 500) for one in them))
        metrics = await daemon.client.text("/metrics")
        assert counted(metrics, "broker_tokens_served_total") == 2001  # and the one at the start
        assert counted(metrics, "broker_requests_total", 'route="/v1/token"', '="200"') == 2000
        await asyncio.gather(*(asking(one, 100) for one in them))
        daemon.send(signal.SIGTERM)
        assert await daemon.ended() == 0
        lines = [json.loads(line) for line in trail.read_text().splitlines()]
        tokens = [line for line in lines if line["event"] == "token"]
        assert sum(line["times"] for line in tokens) == 2401
        assert {line["decision"] for line in tokens} == {"allowed"}
        figures(lines=len(tokens))


async def test_who_asked_before_sigterm_is_answered(tmp_path: Path) -> None:
    """Rule: on connections of the lane too, known requests and others."""
    async with standing(tmp_path, "first") as daemon, connected(daemon, 40) as them:
        for one in them:
            assert await status(one) == 200
        for place, one in enumerate(them):
            one.writer.write(TEXT if place % 2 else NAMED)
        await asyncio.sleep(0)
        daemon.send(signal.SIGTERM)
        answers = [await one.hear() for one in them]
        assert {answer.status for answer in answers} == {200}
        SPOKEN.guard(answers[0].body.decode(), "a token")
        assert await daemon.ended() == 0


def counted(metrics: str, name: str, *labels: str) -> float:
    """The sum of those of a metric that have these labels."""
    lines = [line for line in metrics.splitlines() if re.match(rf"{name}[{{ ]", line)]
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if all(label in line for label in labels))
