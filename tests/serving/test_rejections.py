"""Reports of refused tokens over HTTP: what they bring, who may send them, and what they cost at most (L9)."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from broker.core.errors import Fault, IamError
from broker.keeper.setting import Validation
from broker.serving import punctual
from tests.serving.house import Answer, House, Readable, house, until
from tests.serving.test_gates import METADATA, doors

TARGET = "/v1/identities/default/rejections"
DEAD = "token-of-default"
DIGEST = "0" * 64
HEAD = f"POST {TARGET} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n".encode()


@asynccontextmanager
async def watched(folder: Path, token: str = DEAD) -> AsyncIterator[House]:
    """A house whose token has been validated once, so that validation is evidence."""
    async with house(folder, "default", validation=Validation()) as broker:
        await broker.issued(token=token)
        await broker.clock.advance(2)
        broker.keyring.observe()
        await until(lambda: broker.keyring["default"].lease.watch.evidence)
        assert broker.issuers["default"].validated == [token]
        yield broker


async def granted(broker: House, name: str) -> None:
    """IAM gives the token that it is asked for."""
    await until(lambda: broker.issuers["default"].calls)
    broker.issuers["default"].grant(name)


def outcome(answer: Answer) -> tuple[str, str | None]:
    assert answer.status == 200, answer.tree
    assert answer.headers["Cache-Control"] == "no-store"
    token = answer.tree["token"]
    return answer.tree["outcome"], token and token["token"]


async def test_a_dead_token_is_replaced_and_the_new_one_comes_with_the_answer(tmp_path: Path):
    async with watched(tmp_path) as broker:
        broker.issuers["default"].dead.add(DEAD)
        report = asyncio.create_task(broker.reject(DEAD))
        await granted(broker, "fresh")
        answer = await report
        assert outcome(answer) == ("replaced", "fresh")
        assert answer.tree["token"] == (await broker.get("/v1/token")).tree
        memory = broker.stores["default"].memory
        assert memory is not None  # a rejection is on disk before it is answered (L13)
        assert memory.rejected == broker.keyring["default"].lease.rejected != ()


async def test_a_token_that_lives_is_still_valid_and_one_of_before_is_superseded(tmp_path: Path):
    async with watched(tmp_path) as broker:
        answer = await broker.reject(DEAD)
        assert outcome(answer) == ("still_valid", DEAD)
        assert "retry_after" not in answer.tree
        asked = len(broker.issuers["default"].validated)
        assert outcome(await broker.reject("the one before")) == ("superseded", DEAD)
        assert (len(broker.issuers["default"].validated), broker.issuers["default"].asked) == (asked, 1)


async def test_a_second_report_of_a_valid_token_is_believed(tmp_path: Path):
    async with watched(tmp_path) as broker:
        await broker.reject(DEAD)
        report = asyncio.create_task(broker.reject(DEAD))
        await granted(broker, "fresh")
        assert outcome(await report) == ("replaced", "fresh")


async def test_what_cannot_be_found_out_is_deferred_with_the_time_to_come_back(tmp_path: Path):
    async with watched(tmp_path) as broker:
        broker.issuers["default"].verdict = IamError(Fault.THROTTLED, "it is throttled", 60.0)
        answer = await broker.reject(DEAD)
        assert outcome(answer) == ("deferred", DEAD)
        assert 60 <= answer.tree["retry_after"] <= 63


async def test_a_validation_that_hangs_is_waited_for_as_long_as_preferred(tmp_path: Path):
    async with watched(tmp_path) as broker:
        broker.issuers["default"].hold_checks = True
        report = asyncio.create_task(broker.reject(DEAD, prefer="wait=5"))
        await until(lambda: broker.clock.waiting)
        await broker.clock.advance(4.9)
        assert not report.done()
        await broker.clock.advance(0.2)
        answer = await report
        assert outcome(answer) == ("deferred", DEAD)
        assert (answer.tree["retry_after"], answer.headers["Preference-Applied"]) == (1, "wait=5")


async def test_where_lives_cannot_be_checked_the_next_forced_token_is_the_time_to_come_back(tmp_path: Path):
    async with house(tmp_path, "default") as broker:
        await broker.issued()
        report = asyncio.create_task(broker.reject(DEAD))
        await granted(broker, "fresh")
        assert outcome(await report) == ("replaced", "fresh")
        answer = await broker.reject("fresh")
        assert outcome(answer) == ("deferred", "fresh")
        assert answer.tree["retry_after"] == 60


async def test_with_nothing_to_serve_the_answer_has_no_token(tmp_path: Path):
    async with house(tmp_path, "default") as broker:
        broker.keyring.observe()
        await until(lambda: broker.issuers["default"].calls)
        broker.issuers["default"].fail(retry_after=40.0)
        await until(lambda: broker.keyring["default"].lease.trouble)
        answer = await broker.reject(DEAD)
        assert outcome(answer) == ("deferred", None)
        assert 40 <= answer.tree["retry_after"] <= 42
        assert broker.books.tokens == []


async def test_the_hash_is_read_in_any_case(tmp_path: Path):
    async with watched(tmp_path) as broker:
        held = broker.keyring["default"].lease.held
        assert held is not None
        body = json.dumps({"sha256": held.token.digest.upper()}).encode()
        assert outcome(await broker.get(TARGET, "POST", data=body)) == ("still_valid", DEAD)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"\xff\xfe",
        b"[" * 10_000,
        b"9" * 10_000,
        b"null",
        b'"%s"' % DIGEST.encode(),
        b'["%s"]' % DIGEST.encode(),
        b"{}",
        b'{"sha256": 1}',
        b'{"sha256": null}',
        b'{"sha256": ["%s"]}' % DIGEST.encode(),
        b'{"sha256": ""}',
        b'{"sha256": "%s"}' % DIGEST[1:].encode(),
        b'{"sha256": "%s0"}' % DIGEST.encode(),
        b'{"sha256": "%s\\n"}' % DIGEST.encode(),
        b'{"sha256": "g%s"}' % DIGEST[1:].encode(),
        b'{"token": "%s"}' % DEAD.encode(),
        b"sha256=%s" % DIGEST.encode(),
    ],
)
async def test_a_body_that_names_no_token_is_400_with_the_form_and_without_its_words(
    tmp_path: Path, body: bytes
):
    async with watched(tmp_path) as broker:
        before = broker.keyring["default"].lease
        answer = await broker.get(TARGET, "POST", data=body)
        assert (answer.status, answer.tree["code"]) == (400, "bad_request")
        assert 'send {"sha256": "..."}' in answer.tree["detail"]
        assert DEAD not in answer.tree["detail"]
        assert broker.keyring["default"].lease is before


async def test_a_large_body_is_413_announced_or_not(tmp_path: Path):
    async with watched(tmp_path) as broker:
        answer = await broker.get(TARGET, "POST", data=b" " * 20_000)
        assert (answer.status, answer.tree["code"]) == (413, "too_large")
        chunk = b"4e20\r\n" + b" " * 20_000 + b"\r\n0\r\n\r\n"
        told = await broker.raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunk)
        assert told.startswith(b"HTTP/1.1 413 ")
        assert (await broker.get("/livez")).status == 200


async def test_a_body_that_never_comes_is_408(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(punctual, "REQUEST_SECONDS", 0.2)
    async with watched(tmp_path) as broker:
        reader, writer = await asyncio.open_unix_connection(broker.path)
        writer.write(HEAD + b"Content-Length: 80\r\n\r\n{")
        assert (await reader.readline()).startswith(b"HTTP/1.1 408 ")
        await until(lambda: not broker.drain._in_flight)
        writer.close()


async def test_a_body_that_breaks_is_refused_and_no_defect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(punctual, "REQUEST_SECONDS", 0.2)
    async with watched(tmp_path) as broker:
        reader, writer = await asyncio.open_unix_connection(broker.path)
        writer.write(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        await until(lambda: broker.drain._in_flight)
        with capture_logs() as told:
            writer.write(b"zz\r\n")
            assert (await reader.readline()).startswith(b"HTTP/1.1 4")
            await until(lambda: not broker.drain._in_flight)
        assert [line for line in told if line["log_level"] != "debug"] == []
        writer.close()


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_it_knows_post_alone(tmp_path: Path, method: str):
    async with watched(tmp_path) as broker:
        answer = await broker.get(TARGET, method)
        assert (answer.status, answer.headers["Allow"]) == (405, "POST")


async def test_all_gates_apply(tmp_path: Path):
    async with doors(tmp_path) as (broker, door):
        body = json.dumps({"sha256": DIGEST})
        cases = {
            "metadata_header_missing": ("X: 1",),
            "browser_request": (METADATA, "Origin: null"),
            "forwarded_request": (METADATA, "Via: x"),
        }
        before = broker.keyring["default"].lease
        for code, lines in cases.items():
            head = "\r\n".join([f"POST {TARGET} HTTP/1.1", "Host: localhost", *lines])
            told = await door.raw(
                f"{head}\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
            )
            assert told.startswith(b"HTTP/1.1 403 ")
            assert code.encode() in told
        assert broker.keyring["default"].lease is before


@pytest.mark.parametrize("name", ["hidden", "nothing"])
async def test_who_may_not_read_is_denied_before_the_body_is_looked_at_and_costs_nothing(
    tmp_path: Path, name: str
):
    async with house(tmp_path, "default", "hidden", policy=Readable(), validation=Validation()) as broker:
        await broker.issued("hidden")
        before = broker.keyring["hidden"].lease
        for data in (json.dumps({"sha256": DIGEST}).encode(), b"nonsense"):
            answer = await broker.get(f"/v1/identities/{name}/rejections", "POST", data=data)
            assert (answer.status, answer.tree["code"]) == (403, "access_denied")
        answer = await broker.reject("token-of-hidden", name)
        assert answer.status == 403
        assert (broker.issuers["hidden"].asked, broker.issuers["hidden"].validated) == (1, [])
        assert broker.keyring["hidden"].lease is before


async def test_who_lost_the_right_while_waiting_gets_no_token(tmp_path: Path):
    async with watched(tmp_path) as broker:
        broker.issuers["default"].dead.add(DEAD)
        report = asyncio.create_task(broker.reject(DEAD, prefer="wait=5"))
        await until(lambda: broker.issuers["default"].calls)
        assert isinstance(broker.policy, Readable)
        broker.policy.names.clear()
        broker.issuers["default"].grant("fresh")
        answer = await report
        assert (answer.status, answer.tree["code"]) == (403, "access_denied")
        assert b"fresh" not in answer.body


async def test_l9_a_hundred_reports_at_once_cost_one_validation_and_one_token(tmp_path: Path):
    async with watched(tmp_path) as broker:
        iam = broker.issuers["default"]
        iam.dead.add(DEAD)
        reports = [asyncio.create_task(broker.reject(DEAD, prefer="wait=5")) for _ in range(100)]
        await granted(broker, "fresh")
        # Who comes after the new token is there hears that the broker holds another.
        told = [outcome(answer) for answer in await asyncio.gather(*reports)]
        assert {token for _, token in told} == {"fresh"}
        assert {word for word, _ in told} <= {"replaced", "superseded"}
        assert told.count(("replaced", "fresh")) > 1
        assert (iam.validated.count(DEAD) - 1, iam.asked) == (1, 2)


@pytest.mark.parametrize("alive", [True, False])
async def test_l9_a_report_each_second_for_ten_minutes_stays_bounded(tmp_path: Path, alive: bool):
    """Whoever sends them, of whatever token is at hand: IAM calls it valid, or dead each time."""
    async with watched(tmp_path, "token-0") as broker:
        iam, keeper = broker.issuers["default"], broker.keyring["default"]
        for second in range(600):
            held = keeper.lease.held
            if held is not None:
                value = held.token.value.reveal()
                if not alive:
                    iam.dead.add(value)
                await broker.reject(value, prefer="wait=0")
            await broker.clock.advance(1)
            broker.keyring.observe()
            if iam.calls:
                iam.grant(f"token-{second + 1}")
                await broker.clock.advance(0)
        issued, checked = iam.asked - 1, len(iam.validated)
        # Forced tokens come after 60, 120, 240 s ...; dead ones as the budget of issues lets them.
        assert 3 <= issued <= (5 if alive else 5 + 600 / 30)
        assert checked <= (2 * 600 / 30 + issued if alive else 5 + 600 / 10)


async def test_a_caller_who_leaves_in_the_middle_of_a_body_is_no_defect(tmp_path: Path):
    async with watched(tmp_path) as broker:
        _, writer = await asyncio.open_unix_connection(broker.path)
        with capture_logs() as told:
            writer.write(HEAD + b"Content-Length: 80\r\n\r\n{")
            await until(lambda: broker.drain._in_flight)
            writer.transport.abort()
            await until(lambda: not broker.drain._in_flight)
        assert [line for line in told if line["log_level"] != "debug"] == []
