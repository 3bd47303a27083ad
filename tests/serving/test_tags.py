"""ETags and long polls: a caller that has the token is told so, and hears of the next one when it comes."""

import asyncio
from pathlib import Path

import pytest

from broker.core.errors import Fault
from tests.serving.house import Answer, House, Readable, house, until

LIFE = 1000.0


async def tag_of(broker: House) -> str:
    tag = (await broker.get("/v1/token")).headers["ETag"]
    assert isinstance(tag, str)
    return tag


def poll(broker: House, tag: str, query: str = "") -> "asyncio.Task[Answer]":
    return broker.ask(f"/v1/token{query}", prefer="wait=30", headers={"If-None-Match": tag})


async def polling(broker: House, waiters: int = 1) -> None:
    await until(lambda: broker.clock.waiting == waiters)


async def test_the_tag_is_weak_names_the_token_and_is_the_same_for_both_forms(tmp_path: Path):
    async with house(tmp_path, "default") as broker:
        await broker.issued(life=LIFE)
        json_form = await broker.get("/v1/token")
        await broker.clock.advance(5)
        text_form = await broker.get("/v1/token", headers={"Accept": "text/plain"})
        assert json_form.headers["ETag"] == text_form.headers["ETag"]
        assert json_form.headers["ETag"].startswith('W/"')
        assert "token-of-default" not in json_form.headers["ETag"]
        assert json_form.headers["Vary"] == text_form.headers["Vary"] == "Accept"
        await broker.clock.advance(800)
        await broker.issued(token="next")
        assert await tag_of(broker) != json_form.headers["ETag"]


@pytest.mark.parametrize(
    ("wanted", "status"),
    [
        ("{tag}", 304),
        ("{strong}", 304),
        ("*", 304),
        ('"a", {tag}', 304),
        ('W/"a",{strong} , "b"', 304),
        ('"a"', 200),
        ("{bare}", 200),
        ('W/"a", "b"', 200),
        ("", 200),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_if_none_match_is_compared_weakly(tmp_path: Path, wanted: str, status: int, method: str):
    async with house(tmp_path, "default") as broker:
        await broker.issued()
        tag = await tag_of(broker)
        strong = tag.removeprefix("W/")
        given = wanted.format(tag=tag, strong=strong, bare=strong.strip('"'))
        answer = await broker.get("/v1/token", method, headers={"If-None-Match": given})
        assert (answer.status, answer.headers["ETag"]) == (status, tag)
        assert (answer.headers["Vary"], answer.headers["Cache-Control"]) == ("Accept", "no-store")
        assert (answer.body == b"") is (status == 304 or method == "HEAD")
        # A token that did not leave was not handed out.
        assert len(broker.books.tokens) == 1 + (status == 200 and method == "GET")


async def test_a_poll_that_sees_no_change_ends_with_its_time(tmp_path: Path):
    async with house(tmp_path, "default") as broker:
        await broker.issued()
        request = poll(broker, await tag_of(broker))
        await polling(broker)
        await broker.clock.advance(29.9)
        assert not request.done()
        await broker.clock.advance(0.2)
        answer = await request
        assert (answer.status, answer.body) == (304, b"")
        assert answer.headers["Preference-Applied"] == "wait=30"


async def test_a_poll_without_a_wait_is_answered_at_once(tmp_path: Path):
    async with house(tmp_path, "default") as broker:
        await broker.issued()
        for headers in ({}, {"Prefer": "wait=0"}):
            asked = headers | {"If-None-Match": await tag_of(broker)}
            assert (await broker.get("/v1/token", headers=asked)).status == 304


async def test_a_poll_is_answered_when_the_next_token_comes(tmp_path: Path):
    async with house(tmp_path, "default") as broker:
        await broker.issued(life=LIFE)
        tag = await tag_of(broker)
        await broker.clock.advance(800)
        requests = [poll(broker, tag) for _ in range(20)]
        await polling(broker, 20)
        # A fault is news, but no other token.
        broker.issuers["default"].fail(Fault.UNAVAILABLE)
        await until(lambda: broker.keyring["default"].lease.trouble)
        assert not any(request.done() for request in requests)
        await broker.clock.advance(2)
        await broker.issued(token="the next")
        answers = await asyncio.gather(*requests)
        assert {(answer.status, answer.tree["token"]) for answer in answers} == {(200, "the next")}


async def test_who_has_another_token_is_answered_at_once(tmp_path: Path):
    async with house(tmp_path, "default") as broker:
        await broker.issued()
        assert (await poll(broker, 'W/"an older one"')).tree["token"] == "token-of-default"


@pytest.mark.parametrize("change", [True, False])
async def test_a_poll_is_authorised_again_when_it_wakes(tmp_path: Path, change: bool):
    policy = Readable("default")
    async with house(tmp_path, "default", policy=policy) as broker:
        await broker.issued(life=LIFE)
        tag = await tag_of(broker)
        await broker.clock.advance(800)
        request = poll(broker, tag)
        await polling(broker)
        policy.names.clear()
        if change:
            broker.issuers["default"].grant("the next")
        else:
            await broker.clock.advance(31)
        answer = await request
        assert (answer.status, answer.tree["code"]) == (403, "access_denied")
        assert b"the next" not in answer.body
        assert "ETag" not in answer.headers


async def test_polls_end_at_once_when_the_broker_begins_to_end(tmp_path: Path):
    async with house(tmp_path, "default") as broker:
        await broker.issued()
        requests = [poll(broker, await tag_of(broker)) for _ in range(5)]
        await polling(broker, 5)
        broker.drain.begun = True
        broker.keyring.end(broker.clock.now() + 5)
        assert [answer.status for answer in await asyncio.gather(*requests)] == [304] * 5
        assert await broker.drain.finish(5)
        assert (await poll(broker, await tag_of(broker))).status == 304


async def test_a_poll_ends_at_once_when_the_identity_is_removed(tmp_path: Path):
    async with house(tmp_path, "default") as broker:
        await broker.issued()
        requests = [poll(broker, await tag_of(broker)) for _ in range(5)]
        await polling(broker, 5)
        broker.keyring.take("default").end(broker.clock.now())
        assert {answer.status for answer in await asyncio.gather(*requests)} == {403}


async def test_a_poll_whose_token_ends_without_a_successor_is_told_why(tmp_path: Path):
    async with house(tmp_path, "default") as broker:
        await broker.issued(life=LIFE)
        tag = await tag_of(broker)
        await broker.clock.advance(990)
        request = poll(broker, tag)
        await polling(broker)
        broker.issuers["default"].fail(Fault.REJECTED, retry_after=300.0)
        await until(lambda: broker.keyring["default"].lease.trouble)
        await broker.clock.advance(30.1)
        answer = await request
        assert (answer.status, answer.tree["code"]) == (503, "key_rejected")
