"""AWS' SDKs cannot send `Metadata: true`: what else may come in on the path that they ask, as attacks."""

from pathlib import Path

import pytest

from tests.serving.house import Answer
from tests.serving.test_gates import METADATA, OPEN, doors, refused

S3 = "/v1/identities/default/s3-credentials"
SDK = "Authorization: placeholder"
# What has a token, a state or a list, and was never meant for AWS.
OTHERS = (
    "/v1/token",
    "/v1/identities",
    "/v1/identities/default",
    "/v1/identities/default/token",
    "/v1/identities/default/catalog",
    "/v1/identities/default/projects",
    "/v1/identities/default/s3-credentials/",
    "/v1/identities/default/s3-credentialsx",
    "/v1/identities/s3-credentials",
    "/v1/identities/default/token?x=/v1/identities/default/s3-credentials",
    "/v1/nowhere",
)


def clean(answer: Answer) -> None:
    assert b"s3-secret" not in answer.body
    assert b"s3-session" not in answer.body


@pytest.mark.parametrize(
    "value", ["placeholder", "Bearer abc", "  x  ", "abc def ghi", "Basically", "AWS4 x"]
)
async def test_any_authorization_stands_for_the_header(tmp_path: Path, value: str):
    async with doors(tmp_path) as (_, door):
        answer = await door.ask(S3, f"Authorization: {value}")
        assert (answer.status, answer.tree["AccessKeyId"]) == (200, "AKIA1")
        assert (await door.ask(f"{S3}?duration=600", f"Authorization: {value}")).status == 200
        assert (await door.ask(S3, METADATA)).status == 200


@pytest.mark.parametrize("target", OTHERS)
async def test_it_does_so_on_no_other_path(tmp_path: Path, target: str):
    async with doors(tmp_path) as (_, door):
        refused(await door.ask(target, SDK), "metadata_header_missing")


@pytest.mark.parametrize(
    "lines",
    [
        (),
        ("Authorization:",),
        ("Authorization:   ",),
        ("Proxy-Authorization: placeholder",),
        ("X-Authorization: placeholder",),
        ("Cookie: Authorization=placeholder",),
        ("Authorization: a", "Authorization: b"),
        ("Authorization: a", "Metadata: false"),
        ("Authorization: a", "Metadata:"),
    ],
)
async def test_nothing_else_stands_for_it(tmp_path: Path, lines: tuple[str, ...]):
    async with doors(tmp_path) as (_, door):
        refused(await door.ask(S3, *lines), "metadata_header_missing")


@pytest.mark.parametrize("value", ["Basic eDp5", "basic eDp5", "BASIC", "Basic", "  Basic\teDp5"])
async def test_what_a_library_makes_of_an_address_with_a_user_in_it_does_not(tmp_path: Path, value: str):
    """The attack: a server that fetches what strangers name (SSRF) is given http://x:y@127.0.0.1:9780/v1/..."""
    async with doors(tmp_path) as (_, door):
        answer = await door.ask(S3, f"Authorization: {value}")
        refused(answer, "metadata_header_missing")
        clean(answer)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("Origin: http://evil.example", "browser_request"),
        ("Origin: null", "browser_request"),
        ("Sec-Fetch-Site: same-origin", "browser_request"),
        ("Sec-Fetch-Site: cross-site", "browser_request"),
        ("X-Forwarded-For: 10.0.0.1", "forwarded_request"),
        ("Via: 1.1 proxy", "forwarded_request"),
    ],
)
async def test_it_opens_no_other_gate(tmp_path: Path, line: str, code: str):
    """A page that may send any header, as after a name was made to resolve to us, meets the other gates."""
    async with doors(tmp_path) as (_, door):
        answer = await door.ask(S3, SDK, line)
        refused(answer, code)
        clean(answer)
        refused(await door.ask(S3, SDK, host="evil.example"), "host_not_allowed")


async def test_a_page_that_asks_leave_to_send_it_gets_none(tmp_path: Path):
    """A browser asks so (CORS) before it lets a script of another origin send an Authorization."""
    async with doors(tmp_path) as (_, door):
        request = (
            f"OPTIONS {S3} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nOrigin: http://evil.example\r\n"
            "Access-Control-Request-Method: GET\r\nAccess-Control-Request-Headers: authorization\r\n\r\n"
        )
        answer = (await door.raw(request.encode())).lower()
        assert answer.startswith(b"http/1.1 403 ")
        assert b"access-control-allow" not in answer
        assert b"www-authenticate" not in answer, "a browser would ask its user, and remember"


async def test_no_answer_has_a_browser_remember_an_authorization(tmp_path: Path):
    async with doors(tmp_path) as (_, door):
        for target in (S3, *OTHERS, *OPEN):
            assert "WWW-Authenticate" not in (await door.ask(target)).headers
