"""What is remembered: for whom, how much of it, how it is counted, and when it is forgotten."""

import asyncio
import gc
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from broker.core.access import Workload
from broker.serving import allowed
from broker.serving.remembered import Remembered
from tests.fakes.clock import settle
from tests.serving.house import SOCKET, WAYS, Books, House, house, until
from tests.serving.kept import ASK, LAST, NAMED, kept, seated, token_of

ONE = Workload(1001, 1001, 7, SOCKET, frozenset({5, 6}), "app.service", frozenset({"a.slice"}), "c" * 64)
# All that the policy, or the audit, can ask about; each makes another caller.
OTHERS = {
    "uid": replace(ONE, uid=1002),
    "gid": replace(ONE, gid=1002),
    "no gid": replace(ONE, gid=None),
    "a group less": replace(ONE, groups=frozenset({5})),
    "a group more": replace(ONE, groups=frozenset({5, 6, 7})),
    "listener": replace(ONE, listener="another socket"),
    "unit": replace(ONE, unit="other.service"),
    "no unit": replace(ONE, unit=None),
    "slices": replace(ONE, slices=frozenset({"a.slice", "b.slice"})),
    "container": replace(ONE, container="d" * 64),
    "no pid": replace(ONE, pid=None),
    "a pid of another namespace": replace(ONE, pid=0),
}
ROW = b"GET /v1/token HTTP/1.1\r\nHost: x\r\nX: %d\r\n\r\n"


class Callers:
    """A proof by which each connection is of the next caller in the row."""

    def __init__(self, *callers: Workload) -> None:
        self._callers = list(callers)

    def __call__(self, connection: object) -> Workload:
        del connection
        return self._callers.pop(0)


def judged(broker: House) -> int:
    """How many requests the full path has answered; those of the lane are told later."""
    return len(cast("Books", broker.desk.meter).requests)


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
async def test_callers_of_other_evidence_share_no_answer(tmp_path: Path, other: Workload):
    """The same bytes are judged anew for whoever differs in anything but the number of its pid."""
    async with house(tmp_path, "default", prove=Callers(ONE, other, ONE)) as broker:
        await broker.issued()
        async with kept(broker):
            for another in (other, ONE):
                before, same = judged(broker), another is ONE
                async with kept(broker):
                    assert judged(broker) - before == (0 if same and WAYS.lane else 1)
        told = {(caller, count) for (caller, *_), count in Counter(broker.audit.hand_outs).items()}
        assert {caller for caller, _ in told} == {ONE, other}


async def test_another_process_of_the_same_evidence_shares_it_and_the_audit_names_it(tmp_path: Path):
    two = replace(ONE, pid=8)
    async with house(tmp_path, "default", prove=Callers(ONE, two, ONE)) as broker:
        await broker.issued()
        async with kept(broker):
            before = judged(broker)
            async with kept(broker) as another:
                assert (judged(broker) == before) is WAYS.lane
                await another.ask()
                assert broker.audit.hand_outs[-1][0] == two
            async with kept(broker):
                assert broker.audit.hand_outs[-1][0] == ONE


async def counted(broker: House, requests: int) -> None:
    """So many, in the metrics and in the audit trail."""
    books, audit = broker.books, broker.audit
    assert Counter(books.requests) == {(SOCKET, "/v1/token", 200): requests}
    assert Counter(books.tokens) == {("default", SOCKET): requests}
    assert len(audit.hand_outs) == requests
    assert {(identity, by) for _, identity, by, *_ in audit.hand_outs} == {("default", "a list of the test")}


@pytest.mark.parametrize(
    "then", ["nothing", "a lease changes", "rules change", "it is pushed out", "its phase ends"]
)
async def test_what_was_handed_out_is_counted_once_whatever_is_forgotten(
    tmp_path: Path, then: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(allowed, "MOST", 2)
    async with house(tmp_path, "default") as broker:
        await broker.issued(life=1000)
        async with kept(broker) as one:
            for _ in range(10):
                await one.ask()
            requests = 11
            match then:
                case "a lease changes":
                    broker.keyring["default"].woke()
                case "rules change":
                    broker.regrant("default")
                case "it is pushed out":
                    for number in range(3):
                        await one.ask(ROW % number)
                    requests += 3
                case "its phase ends":
                    broker.clock.at = broker.keyring["default"].lease.held.span.due_at  # type: ignore[union-attr]
            await counted(broker, requests)
            for _ in range(5):
                await one.ask()
            await counted(broker, requests + 5)
            await counted(broker, requests + 5)
            last = await one.ask(LAST)
            assert last.headers["Connection"] == "close"
            await counted(broker, requests + 6)


async def test_a_refusal_is_counted_as_ever(tmp_path: Path):
    async with house(tmp_path, "default") as broker:
        await broker.issued()
        async with kept(broker) as one:
            broker.regrant()
            assert [(await one.ask()).status for _ in range(3)] == [403] * 3
        assert broker.books.refusals == ["access_denied"] * 3
        assert len(broker.audit.refusals) == 3
        assert len(broker.audit.hand_outs) == 1


async def test_the_next_phase_is_remembered_too(tmp_path: Path):
    """Also where no lease changes with it, as while IAM leaves the question hanging."""
    async with house(tmp_path, "default") as broker:
        await broker.issued(life=1000)
        span = broker.keyring["default"].lease.held.span  # type: ignore[union-attr]
        report = asyncio.create_task(broker.reject("token-of-default"))
        await until(lambda: broker.issuers["default"].calls)
        broker.issuers["default"].fail()
        await until(lambda: broker.keyring["default"].lease.trouble)
        report.cancel()
        async with kept(broker) as one:
            for at in (span.due_at, span.critical_at):
                broker.clock.at = at
                assert (await one.ask()).tree["stale"] is True
                before = judged(broker)
                assert (await one.ask()).tree["stale"] is True
                assert (judged(broker) == before) is WAYS.lane


async def test_no_more_than_so_many_are_remembered_and_who_was_pushed_out_is_judged_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(allowed, "MOST", 8)
    async with house(tmp_path, "default", "other") as broker:
        await broker.issued()
        table = broker.desk.allowed
        async with kept(broker) as one:
            for number in range(100):
                assert token_of(await one.ask(ROW % number)) == "token-of-default"
                assert len(table._all) <= 8
                assert sum(map(len, table._answers.values())) == len(table._all)
                assert sum(map(len, table._whose.values())) == len(table._all)
            last = next(reversed(table._all), None)
            assert (last is not None) is WAYS.lane
            before = judged(broker)
            await one.ask(ROW % 99)
            assert (judged(broker) == before) is WAYS.lane
            before = judged(broker)
            await one.ask(ROW % 1)
            assert judged(broker) == before + 1
            if last is not None:
                assert b"token-of-default" in last.rendered
                for number in range(8):
                    await one.ask(ROW % number)
                assert last not in table._all
                assert last.rendered == b"", "its token stays in memory"
        broker.regrant("other")
        assert [*table._all, *table._answers, *table._whose] == []


@pytest.mark.parametrize(
    "line",
    [
        "Prefer: wait=0", "pReFeR: wait=0", "If-None-Match: x", "if-match: x", "If-Modified-Since: x", "Expect: 100-continue",
        "Range: bytes=0-3", "Connection: Upgrade\r\nUpgrade: h2c", "Content-Length: 0", "TE: trailers", "Trailer: x",
    ],
)  # fmt: skip
async def test_what_depends_on_more_is_not_remembered(tmp_path: Path, line: str):
    async with house(tmp_path, "default") as broker:
        await broker.issued()
        reader, writer = await asyncio.open_unix_connection(broker.path)
        writer.write(ASK[:-2] + line.encode() + b"\r\n\r\n")
        assert (await reader.readline()).split()[1] in {b"100", b"200"}
        await settle()
        writer.close()
        assert not broker.desk.allowed._all


@pytest.mark.parametrize(
    "line", [b"HEAD /v1/token", b"GET /v1/token?min_ttl=1", b"GET /v1/identities", b"GET /livez"]
)
async def test_nothing_else_is_remembered(tmp_path: Path, line: bytes):
    async with house(tmp_path, "default") as broker:
        await broker.issued()
        reader, writer = await asyncio.open_unix_connection(broker.path)
        writer.write(line + b" HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await reader.readline()).split()[1] == b"200"
        await settle()
        writer.close()
        assert not broker.desk.allowed._all


async def test_a_long_request_is_answered_and_not_remembered(tmp_path: Path):
    async with house(tmp_path, "default") as broker:
        await broker.issued()
        pad = allowed.LONGEST - len(ASK) - len(b"X: \r\n")
        async with kept(broker) as one:
            for more, remembered in ((0, WAYS.lane), (1, False), (1000, False)):
                request = ASK[:-2] + b"X: " + b"a" * (pad + more) + b"\r\n\r\n"
                await one.ask(request)
                await asyncio.sleep(0.01)
                before = judged(broker)
                await one.ask(request)
                assert (judged(broker) == before) is remembered
        assert len(broker.desk.allowed._all) == (2 if WAYS.lane else 0)


async def test_what_is_forgotten_holds_no_token(tmp_path: Path):
    """Neither in the table nor for a connection that had found it there."""
    async with house(tmp_path, "default") as broker:
        await broker.issued()
        async with kept(broker) as one, kept(broker, NAMED) as two:
            await one.ask()
            await two.ask(NAMED)
            broker.regrant()
            assert all(not seat.answers for seat in seated(broker))
            gc.collect()
            mine = [each for each in gc.get_objects() if isinstance(each, Remembered)]
            assert not any(each.rendered for each in mine if each._clock is broker.clock)


async def test_many_at_once_are_all_counted(tmp_path: Path):
    async with house(tmp_path, "default") as broker:
        await broker.issued()
        async with kept(broker) as a, kept(broker) as b, kept(broker) as c:
            for _ in range(60):
                await asyncio.gather(a.ask(), b.ask(), c.ask())
        await counted(broker, 183)
