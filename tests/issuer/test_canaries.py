"""Whatever goes wrong, no secret is in what can be printed: not in the error, its chain, its traceback, a log."""

import contextlib
import gc
import json
import traceback

import pytest

from broker.core.errors import Fault, IamError
from broker.core.model import AccessKey
from broker.issuer import wire
from broker.outward.transport import Answer
from tests.issuer.asking import KEY, asking, failure, token
from tests.issuer.replies import (
    CANARIES,
    PROXY_PASSWORD,
    SECRET,
    TOKEN,
    error_body,
    issued,
    key_body,
    project_page,
    reply,
    token_body,
)
from tests.issuer.scripted import Act, hang, reset, scripted

ECHO = f"{TOKEN} {SECRET}"
BROKEN = json.dumps(token_body(user=TOKEN, roles=[TOKEN])).encode()


def clean(text: str) -> bool:
    return not any(canary in text for canary in CANARIES)


def assert_clean(error: BaseException) -> None:
    assert clean("".join(traceback.format_exception(error)))
    link: BaseException | None = error
    while link is not None:
        assert clean(f"{link} {link!r} {link.args!r} {vars(link)!r}")
        # `from None` only hides a context; it must not be there, for tools that walk it regardless.
        assert link.__cause__ is None
        link = link.__context__


@pytest.mark.parametrize(
    "act",
    [
        b"",
        reset,
        hang,
        issued()[:-1],
        f"garbage {ECHO}\r\n\r\n".encode(),
        reply("201 CREATED", ECHO.encode(), f"X-Subject-Token: {TOKEN}"),
        reply("201 CREATED", BROKEN, f"X-Subject-Token: {TOKEN}"),
        reply("200 OK", BROKEN),
        reply("200 OK", key_body(expires_at=ECHO, unrestricted=ECHO)),
        reply("201 CREATED", b"", f"X-Subject-Token: {ECHO}"),
        reply("201 CREATED", b"", f"X-Subject-Token: {TOKEN * 2000}"),
        reply("404 NOT FOUND", error_body(404, ECHO)),
        reply("404 NOT FOUND", ECHO.encode()),
        reply("400 BAD", error_body(400, ECHO)),
        reply(f"418 {ECHO}", ECHO.encode(), f"Retry-After: {ECHO}", f"Date: {ECHO}"),
        reply("302 FOUND", b"", f"Location: https://evil.example/{TOKEN}", f"Set-Cookie: {ECHO}"),
        f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{ECHO}\r\n".encode(),
    ],
)
async def test_no_canary_escapes(act: Act, caplog: pytest.LogCaptureFixture):
    caplog.set_level(0)
    async with scripted(act) as server, asking(server.url, patience=0.3) as keystone:
        for ask in (
            lambda: keystone.issue(KEY),
            lambda: keystone.validate(token()),
            lambda: keystone.projects(token()),
            lambda: keystone.key_facts(token()),
        ):
            with pytest.raises(IamError) as caught:
                await ask()
            assert_clean(caught.value)
    gc.collect()
    assert clean(caplog.text)


@pytest.mark.parametrize("status", ["407 LOGIN", "500 BAD"])
async def test_no_canary_escapes_by_the_proxy(
    status: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(0)
    async with scripted(reply(status, ECHO.encode())) as proxy, asking("https://iam.test/v3") as keystone:
        for port in (proxy.port, 1):
            monkeypatch.setenv("https_proxy", f"http://robot:{PROXY_PASSWORD}@127.0.0.1:{port}")
            with pytest.raises(IamError) as caught:
                await keystone.issue(KEY)
            assert_clean(caught.value)
    assert clean(caplog.text)


ECHOING = {"id": "p1", "name": "shop", "domain": {"id": "d1", "name": "acme"}}


@pytest.mark.parametrize(
    "changes",
    [
        {"catalog": [{"id": SECRET}]},
        {"project": {**ECHOING, "name": f"shop of {SECRET}"}},
        {"user": {**ECHOING, "name": f"robot {TOKEN}"}},
        {"project": {**ECHOING, "id": TOKEN}},
        {"roles": [{"id": "r1", "name": TOKEN}]},
    ],
)
async def test_no_token_comes_of_an_answer_that_repeats_the_secret_or_has_the_token_for_a_name(
    changes: dict[str, object],
):
    async with scripted(issued(**changes)) as server, asking(server.url) as keystone:
        error = await failure(keystone.issue(KEY), Fault.PROTOCOL)
    assert_clean(error)


async def test_no_list_comes_of_an_answer_that_repeats_the_token():
    page = reply("200 OK", project_page("p1", TOKEN))
    async with scripted(page) as server, asking(server.url) as keystone:
        assert_clean(await failure(keystone.projects(token()), Fault.PROTOCOL))


@pytest.mark.parametrize("act", [issued(), b"", reply("503 BUSY")])
async def test_the_body_of_a_request_is_overwritten_when_it_has_gone_out(
    act: Act, monkeypatch: pytest.MonkeyPatch
):
    bodies: list[bytearray] = []

    def noted(key: AccessKey) -> bytearray:
        bodies.append(made(key))
        return bodies[-1]

    made = wire.issue_body
    monkeypatch.setattr(wire, "issue_body", noted)
    async with scripted(act) as server, asking(server.url) as keystone:
        with contextlib.suppress(IamError):
            await keystone.issue(KEY)
        assert SECRET.encode() in server.requests[0]
    (body,) = bodies
    assert not any(body)


def test_an_answer_cannot_be_printed():
    assert clean(repr(Answer(201, (("X-Subject-Token", TOKEN),), TOKEN.encode())))
