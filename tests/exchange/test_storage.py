"""Object storage over real sockets: exactly what is sent to it, and what comes of every kind of answer."""

import contextlib
import gc
import json
import traceback
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trustme

from broker.core.errors import Fault, IamError
from broker.core.model import Token
from broker.core.ports import Exchange
from broker.core.s3 import Wish
from broker.exchange import storage
from broker.exchange.places import Places
from broker.exchange.storage import ObjectStorage
from tests.exchange.answers import CANARIES, DATE, S3_SECRET, document, given
from tests.issuer.asking import CountingClock, failure, token
from tests.issuer.replies import TOKEN, reply
from tests.issuer.scripted import Act, Server, endless, hang, reset, scripted
from tests.issuer.test_tls import file_of, served_by

USUAL = Wish("kr-central-2", 1800)
ECHO = f"{TOKEN} {S3_SECRET}"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def at(server: Server) -> str:
    return server.url.removesuffix("/identity/v3") + "/s3/{region}"


@contextlib.asynccontextmanager
async def storing(
    url: str,
    seen: list[tuple[str, str, float]] | None = None,
    *,
    ca_file: Path | None = None,
    patience: float = 5.0,
) -> AsyncIterator[ObjectStorage]:
    seen = [] if seen is None else seen
    places = Places(url, "kr-central-2")
    endpoint = places.endpoint(ca_file, patience, 5.0, insecure=False)
    async with ObjectStorage(places, endpoint, CountingClock(), lambda *event: seen.append(event)) as found:
        yield found


async def test_the_request_is_as_kakaocloud_documents_it():
    seen: list[tuple[str, str, float]] = []
    async with scripted(given(None, f"Date: {DATE}")) as server, storing(at(server), seen) as found:
        port: Exchange = found
        answer = await port.s3_keys(token(), USUAL)
        await port.s3_keys(token(), Wish("kr-east-1", 60))
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /s3/kr-central-2 HTTP/1.1"
    assert "Content-Type: application/json" in lines
    assert json.loads(body) == {
        "Action": "AssumeRoleWithWebIdentity",
        "DurationSeconds": 1800,
        "ProviderId": "iam.kakaocloud.com",
        "WebIdentityToken": TOKEN,
    }
    assert TOKEN not in head.decode()
    assert server.requests[1].startswith(b"POST /s3/kr-east-1 HTTP/1.1\r\n")
    assert b'"DurationSeconds":60' in server.requests[1]
    # The clock was read before the request left.
    assert (answer.sent_at, answer.lifetime) == (50.0, 1800.0)
    assert [event[:2] for event in seen] == [("s3", "ok"), ("s3", "ok")]


@pytest.mark.parametrize(
    ("act", "fault", "words"),
    [
        (reply("400 BAD", document()), Fault.REJECTED, "(400): the token has ended, or"),
        (reply("401 NO"), Fault.REJECTED, "may lack a role"),
        (reply("403 NO", ECHO.encode()), Fault.REJECTED, "may lack a role"),
        (reply("404 NO"), Fault.PROTOCOL, "check s3.url"),
        (reply("429 SLOW", b"", "Retry-After: 7"), Fault.THROTTLED, "fewer requests"),
        (reply("500 BAD"), Fault.UNAVAILABLE, "in trouble (500)"),
        (reply("503 BUSY", b"", "Retry-After: 7"), Fault.UNAVAILABLE, "in trouble (503)"),
        (reply("302 FOUND", b"", "Location: http://evil.example/"), Fault.PROTOCOL, "final address"),
        (reply("407 LOGIN"), Fault.UNAVAILABLE, "exempt object storage by no_proxy"),
        (reply("204 NONE"), Fault.PROTOCOL, "answers 204"),
        (given(b"<html>"), Fault.PROTOCOL, "not understood"),
        (given(document(AccessKeyId=TOKEN)), Fault.PROTOCOL, "holds the token"),
        (given()[:-1], Fault.UNAVAILABLE, "before its answer was whole"),
        (b"", Fault.UNAVAILABLE, "before its answer was whole"),
        (reset, Fault.UNAVAILABLE, "before its answer was whole"),
        (hang, Fault.UNAVAILABLE, "is object storage up"),
        (endless(CHUNKED, b"10000\r\n" + b" " * 0x10000 + b"\r\n"), Fault.PROTOCOL, "larger than 32 KiB"),
        (b"220 ready\r\n\r\n", Fault.PROTOCOL, "is s3.url right?"),
    ],
)
async def test_every_trouble_has_its_fault_and_a_remedy_and_no_secret(
    act: Act, fault: Fault, words: str, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(0)
    seen: list[tuple[str, str, float]] = []
    async with scripted(act) as server, storing(at(server), seen, patience=0.5) as found:
        error = await failure(found.s3_keys(token(), USUAL), fault)
    assert words in error.detail
    assert error.retry_after == (7.0 if "Retry-After" in repr(act) else None)
    assert [event[:2] for event in seen] == [("s3", fault.value)]
    assert len(server.requests) == 1, "nothing was followed or tried again"
    gc.collect()
    told = "".join(traceback.format_exception(error)) + caplog.text
    assert not any(canary in told for canary in CANARIES)
    assert error.__cause__ is None


async def test_a_region_that_may_not_be_chosen_is_not_asked():
    async with scripted(given()) as server, storing(at(server).replace("{region}", "x")) as found:
        assert found.has("kr-central-2")
        assert not found.has("kr-east-1")
        await failure(found.s3_keys(token(), Wish("kr-east-1", 60)), Fault.PROTOCOL)
    assert server.requests == []


async def test_it_is_verified_by_the_ca_that_is_named(tmp_path: Path):
    ca, other = trustme.CA(), trustme.CA()
    async with scripted(given(), tls=served_by(ca.issue_cert("127.0.0.1"))) as server:
        async with storing(at(server), ca_file=file_of(ca, tmp_path)) as found:
            await found.s3_keys(token(), USUAL)
        (tmp_path / "other").mkdir()
        async with storing(at(server), ca_file=file_of(other, tmp_path / "other")) as found:
            error = await failure(found.s3_keys(token(), USUAL), Fault.UNAVAILABLE)
    assert "s3.ca_file" in error.detail
    assert len(server.requests) == 1


@pytest.mark.parametrize("act", [given(), b"", reply("503 BUSY")])
async def test_the_body_of_a_request_is_overwritten_when_it_has_gone_out(
    act: Act, monkeypatch: pytest.MonkeyPatch
):
    bodies: list[bytearray] = []
    made = storage._body

    def noted(held: Token, wish: Wish) -> bytearray:
        bodies.append(made(held, wish))
        return bodies[-1]

    monkeypatch.setattr(storage, "_body", noted)
    async with scripted(act) as server, storing(at(server)) as found:
        with contextlib.suppress(IamError):
            await found.s3_keys(token(), USUAL)
        assert TOKEN.encode() in server.requests[0]
    (body,) = bodies
    assert not any(body)
