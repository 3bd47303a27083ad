"""What both clients give, what they take for an answer, and how they refuse."""

import pickle
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from broker import client
from broker.client import BadAddress, ClientError, Denied, Named, Unreachable
from broker.core.secret import Secret
from tests.client.answering import DEAD, FRESH, answering, kill, reports, url
from tests.client.both import GOOD, TREE, Both, at
from tests.client.scripted import answered, scripted

NO_BROKER = "what listens there is no broker"


async def test_a_token_is_a_value_with_all_that_is_told(tmp_path: Path, both: Both):
    with scripted(tmp_path / "s", GOOD) as seen:
        token = await both.token("shop", url=at(tmp_path), min_ttl=599.5)
    assert token.value.reveal() == "gAAAAABcanary"
    assert (token.identity, token.expires_in, token.stale) == ("shop", 41873, False)
    assert token.expires_at == datetime(2026, 11, 24, 22, tzinfo=UTC)
    assert token.expires_at - token.issued_at == timedelta(hours=12)
    assert token.key_expires_at == datetime(
        2027, 1, 1, tzinfo=UTC
    )  # Keystone writes this one without an offset
    assert (token.project, token.user) == (Named("p1", "web"), Named("u1", "robot"))
    assert token.roles == ("member", "reader")
    assert seen[0].startswith(b"GET /v1/identities/shop/token?min_ttl=600 HTTP/1.1\r\n")


async def test_it_neither_shows_its_value_nor_changes(tmp_path: Path, both: Both):
    with scripted(tmp_path / "s", GOOD):
        token = await both.token(url=at(tmp_path))
    assert "canary" not in f"{token!r} {token} {token.value!r}"
    with pytest.raises(TypeError, match="not copied, pickled"):
        pickle.dumps(token)
    with pytest.raises(AttributeError):
        token.stale = True  # type: ignore[misc]


@pytest.mark.parametrize(
    "change",
    [
        {"token": None}, {"token": ""}, {"token": "a b"}, {"token": "a\r\nX: y"}, {"token": "\xfc"}, {"token": 7},
        {"expires_at": None}, {"expires_at": "soon"}, {"issued_at": 5}, {"expires_in": "x"}, {"expires_in": 1e999},
        {"project": None}, {"user": []}, {"user": {"id": "u"}}, {"roles": None}, {"key_expires_at": "never"},
    ],
)  # fmt: skip
async def test_half_a_token_is_none(tmp_path: Path, both: Both, change: dict[str, object]):
    told = "is not understood; are client and broker of one version"
    with scripted(tmp_path / "s", answered(200, TREE | change)), pytest.raises(Unreachable, match=told):
        await both.token(url=at(tmp_path))


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n{}", NO_BROKER),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", NO_BROKER),
        (b"220 mail ESMTP\r\n", NO_BROKER),
        (answered(200, b"no JSON"), NO_BROKER),
        (GOOD[:-1], "its answer is cut short"),
        (answered(307, {"code": "x"}, head="Location: http://127.0.0.1:1/\r\n"), "x: no reason given"),
    ],
)
async def test_what_no_broker_sends_is_one_sentence(tmp_path: Path, both: Both, reply: bytes, told: str):
    with scripted(tmp_path / "s", reply), pytest.raises(ClientError, match=told):
        await both.token(url=at(tmp_path), timeout=0)


async def test_a_refusal_has_its_code_and_its_time_to_come_back(tmp_path: Path, both: Both):
    refusal = {"code": "key_rejected", "detail": "it was deleted", "retry_after": 60}
    told = "key_rejected: it was deleted"
    with scripted(tmp_path / "s", answered(503, refusal)), pytest.raises(Unreachable, match=told) as caught:
        await both.token(url=at(tmp_path))
    assert (caught.value.code, caught.value.retry_after) == ("key_rejected", 60)
    refusal = {"code": "access_denied", "detail": "no grant"}
    with scripted(tmp_path / "t", answered(403, refusal)), pytest.raises(Denied, match="no grant") as denied:
        await both.token(url=f"unix://{tmp_path}/t")
    assert (denied.value.code, denied.value.retry_after) == ("access_denied", None)


def test_what_can_be_no_client_is_told_at_once(both: Both):
    with pytest.raises(BadAddress, match=r"^url must be unix:///PATH or http://127\.0\.0\.1:PORT"):
        both.kind(url="https://broker.example")
    with pytest.raises(BadAddress, match=r"^url must be"):
        both.kind(url="")
    with pytest.raises(Denied, match="no name of one"):
        both.kind("../../etc")
    for timeout in (-1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="timeout is a number of seconds"):
            both.kind(timeout=timeout)


async def test_a_life_that_is_none_is_told_at_once(both: Both):
    for life in (-1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="min_ttl is a number of seconds"):
            await both.token(min_ttl=life)


@pytest.mark.parametrize("form", ["token", "secret", "text"])
async def test_a_report_has_the_hash_alone_and_brings_the_new_token(tmp_path: Path, both: Both, form: str):
    told = {"outcome": "replaced", "token": TREE | {"token": "new"}}
    with scripted(tmp_path / "s", GOOD, answered(200, told)) as seen:
        token = await both.token(url=at(tmp_path))
        given = {"token": token, "secret": token.value, "text": token.value.reveal()}[form]
        found = await both.reject(given, *([] if form == "token" else ["shop"]), url=at(tmp_path))
    assert found.outcome == "replaced"
    assert found.token is not None
    assert found.token.value == Secret("new")
    assert seen[1].startswith(b"POST /v1/identities/shop/rejections HTTP/1.1\r\n")
    assert token.value.sha256().encode() in seen[1]
    assert b"canary" not in seen[1]


@pytest.mark.parametrize(
    "told", [{}, {"outcome": "lost"}, {"outcome": "deferred", "token": {}}, {"outcome": 1}, {"outcome": "deferred", "retry_after": []}]
)  # fmt: skip
async def test_an_outcome_that_is_not_understood_is_told(tmp_path: Path, both: Both, told: object):
    with scripted(tmp_path / "s", answered(200, told)), pytest.raises(Unreachable, match="not understood"):
        await both.reject("t", "shop", url=at(tmp_path))


async def test_nothing_found_out_says_when_to_come_back(tmp_path: Path, both: Both):
    told = {"outcome": "deferred", "token": None, "retry_after": 7}
    with scripted(tmp_path / "s", answered(200, told)) as seen:
        found = await both.reject("t", "shop", url=at(tmp_path), timeout=2)
    assert (found.outcome, found.token, found.retry_after) == ("deferred", None, 7)
    assert b"\r\nPrefer: wait=2\r\n" in seen[0]


async def test_a_real_broker_is_understood(tmp_path: Path, both: Both):
    """Rule: without a name it is the usual identity, for a report too."""
    async with answering(tmp_path) as broker:
        token = await both.token(url=url(broker))
        assert (token.identity, token.value.reveal()) == ("default", DEAD)
        kill(broker)
        found = await both.reject(DEAD, url=url(broker))
        assert (found.outcome, found.token and found.token.value.reveal()) == ("replaced", FRESH)
        assert (await both.reject(token, url=url(broker))).outcome == "superseded"
        assert reports(broker) == 2


def test_what_is_exported_is_there_and_nothing_else():
    assert {name: getattr(client, name).__name__ for name in client.__all__} == {
        name: name for name in client.__all__
    }
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        client.nonsense  # noqa: B018
