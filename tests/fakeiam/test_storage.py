"""The emulated exchange of a token for S3 credentials, as KakaoCloud documents it."""

import xml.etree.ElementTree as ET
from datetime import timedelta
from typing import Any

import pytest

from broker.fakeiam.faults import Operation
from broker.fakeiam.server import s3_url
from broker.fakeiam.storage import LONGEST
from tests.fakeiam.client import Client, Reply
from tests.fakeiam.clock import Clock

SPACE = "{https://sts.amazonaws.com/doc/2011-06-15/}"
WAY = f"{SPACE}AssumeRoleWithWebIdentityResult/{SPACE}Credentials/{SPACE}"


async def trade(client: Client, token: str, **changes: object) -> Reply:
    asked = {
        "Action": "AssumeRoleWithWebIdentity",
        "DurationSeconds": 1800,
        "ProviderId": "iam.kakaocloud.com",
        "WebIdentityToken": token,
    }
    url = s3_url(client.url).replace("{region}", "kr-central-2")
    async with client.session.post(url, json=asked | changes) as response:
        return Reply(response.status, dict(response.headers), await response.read(), None)


def part(reply: Reply, name: str) -> Any:  # noqa: ANN401  (a text, or none)
    return ET.fromstring(reply.body).findtext(WAY + name)  # noqa: S314  (the emulator's own)


async def test_a_good_token_buys_credentials_that_are_remembered(client: Client, clock: Clock):
    reply = await trade(client, await client.token())
    assert (reply.status, reply.headers["Content-Type"]) == (200, "text/xml; charset=utf-8")
    found = client.iam.state.storage.find(part(reply, "AccessKeyId"))
    assert found is not None
    assert (found.secret, found.session_token) == (
        part(reply, "SecretAccessKey"),
        part(reply, "SessionToken"),
    )
    assert (found.region, found.user_id) == ("kr-central-2", client.iam.user.id)
    assert part(reply, "Expiration") == "2030-01-02T03:34:05Z"
    assert found.expires_at == clock().replace(microsecond=0) + timedelta(minutes=30)
    assert client.iam.counters.arrived[Operation.S3] == 1


async def test_they_live_no_longer_than_it_allows(client: Client):
    assert (await client.control("PUT", "/s3-life", "5s")).tree == {"s3_life": 5.0}
    assert part(await trade(client, await client.token()), "Expiration") == "2030-01-02T03:04:10Z"


async def test_a_dead_or_unknown_token_buys_nothing(client: Client):
    token = await client.token()
    client.iam.tokens.revoke(token)
    for text in (token, "gAAAAAgarbage"):
        reply = await trade(client, text)
        assert (reply.status, b"AccessDenied" in reply.body) == (403, True)
        assert text.encode() not in reply.body
    assert len(client.iam.state.storage) == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"Action": "AssumeRole"},
        {"ProviderId": "accounts.example.com"},
        {"WebIdentityToken": None},
        {"DurationSeconds": "1800"},
        {"DurationSeconds": True},
        {"DurationSeconds": 0},
        {"DurationSeconds": LONGEST + 1},
        {"WebIdentityToken": "x" * 200_000},
    ],
)
async def test_what_is_not_as_documented_is_refused(client: Client, changes: dict[str, object]):
    assert (await trade(client, await client.token(), **changes)).status == 400


@pytest.mark.parametrize(
    ("fault", "status", "expiration"),
    [
        ("503:on=s3", 503, None),
        ("no-expiry:on=s3", 200, None),
        ("bad-expiry:on=s3", 200, "tomorrow"),
        ("expiry-before-issue:on=s3", 200, "2001-01-01T00:00:00Z"),
        ("skew=60:only=times,on=s3", 200, "2030-01-02T03:35:05Z"),
    ],
)
async def test_faults_hit_it_alone(client: Client, fault: str, status: int, expiration: str | None):
    client.iam.faults.add(fault)
    reply = await trade(client, await client.token())
    assert reply.status == status
    if status == 200:
        assert part(reply, "Expiration") == expiration


async def test_a_fault_of_one_key_hits_the_tokens_of_that_key(client: Client):
    client.iam.faults.add(f"503:on=s3,key={client.iam.key.id}")
    other = client.iam.realm.add_key(client.iam.user.id)
    assert (await trade(client, await client.token())).status == 503
    assert (await trade(client, await client.token(other))).status == 200
