"""`broker s3-credentials` as a `credential_process` of AWS' clients: JSON of version 1, or one sentence and an exit code."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import at, broker
from tests.client.scripted import answered, scripted

pytestmark = pytest.mark.e2e

GIVEN = {
    "AccessKeyId": "AKIA",
    "SecretAccessKey": "canary-secret",
    "Token": "canary-session",
    "Expiration": "2026-01-01T00:00:00Z",
}
ROW: dict[str, Any] = {
    "identity": "shop", "state": "fresh", "degraded": [], "stale": False, "expires_in": 1, "project": None,
    "roles": [], "key": "k", "last_fault": None, "next_try": None,
}  # fmt: skip


def problem(status: int, code: str, **more: object) -> bytes:
    return answered(status, {"code": code, "detail": "because", **more})


async def test_it_prints_what_aws_clients_read(tmp_path: Path):
    with scripted(tmp_path / "s", answered(200, GIVEN)) as seen:
        ended = await broker(
            "s3-credentials", "shop", "--region", "kr-east-1", "--duration", "1h", **at(tmp_path / "s")
        )
    assert (ended.code, ended.err) == (0, "")
    assert json.loads(ended.out) == {
        "Version": 1,
        "AccessKeyId": "AKIA",
        "SecretAccessKey": "canary-secret",
        "SessionToken": "canary-session",
        "Expiration": "2026-01-01T00:00:00Z",
    }
    target = b"/v1/identities/shop/s3-credentials?region=kr-east-1&duration=3600"
    assert seen[0].startswith(b"GET " + target + b" HTTP/1.1\r\n")


async def test_without_a_name_they_are_the_usual_identitys(tmp_path: Path):
    with scripted(tmp_path / "s", answered(200, {"identities": [ROW]}), answered(200, GIVEN)) as seen:
        assert (await broker("s3-credentials", **at(tmp_path / "s"))).code == 0
    assert seen[1].startswith(b"GET /v1/identities/shop/s3-credentials HTTP/1.1\r\n")


@pytest.mark.parametrize(
    ("answer", "code", "words"),
    [
        (problem(403, "access_denied"), 77, "access_denied: because"),
        (problem(404, "not_found"), 1, "not_found: because"),
        (problem(503, "iam_unavailable", retry_after=99), 69, "no S3 credentials: iam_unavailable: because"),
        (answered(200, {**GIVEN, "Token": None}), 69, "is not understood"),
        (answered(200, {**GIVEN, "Token": "a\nb"}), 69, "is not understood"),
        (answered(200, b"nonsense"), 69, "is no broker"),
    ],
)
async def test_a_failure_is_one_sentence(tmp_path: Path, answer: bytes, code: int, words: str):
    with scripted(tmp_path / "s", answer):
        ended = await broker("s3-credentials", "shop", **at(tmp_path / "s"))
    assert words in ended.one_sentence(code)
    assert "canary" not in ended.err


async def test_without_a_broker_it_says_so(tmp_path: Path):
    ended = await broker("s3-credentials", "shop", **at(tmp_path / "s"))
    assert "no broker is running" in ended.one_sentence(69)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--region", "evil.example"), "the region is none"),
        (("--region", "gAAAAABcanary"), "the region is none"),
        (("--duration", "59s"), "between 1m and 12h"),
        (("--duration", "13h"), "between 1m and 12h"),
        (("--duration", "soon"), "is not a duration"),
    ],
)
async def test_what_can_be_no_wish_is_wrong_usage_and_not_repeated(
    tmp_path: Path, words: tuple[str, ...], sentence: str
):
    with scripted(tmp_path / "s", answered(200, GIVEN)) as seen:
        ended = await broker("s3-credentials", "shop", *words, **at(tmp_path / "s"))
    assert (ended.code, ended.out, seen) == (2, "", [])
    assert sentence in ended.err
    assert "canary" not in ended.err
