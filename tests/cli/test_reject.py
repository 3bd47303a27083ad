"""`broker reject`: the token on stdin and nowhere else, the outcome as one sentence, its exit code."""

import asyncio
import hashlib
import os
import sys
from pathlib import Path

import pytest

from tests.cli.command import at, broker, environment, piped
from tests.client.scripted import answered, scripted
from tests.serving.house import Readable, house, until

pytestmark = pytest.mark.e2e

TOKEN = b"gAAAAAB" + b"x" * 180


@pytest.mark.parametrize(
    ("told", "code", "sentence"),
    [
        ({"outcome": "replaced"}, 0, "replaced: there is a new token; `broker token` prints it\n"),
        ({"outcome": "still_valid"}, 0, "still_valid: IAM says that the token lives;"),
        ({"outcome": "superseded"}, 0, "superseded: the broker holds another token already;"),
        ({"outcome": "deferred", "retry_after": 7}, 1, "deferred: nothing could be found out yet; report it again in 7 s,"),
        ({"outcome": "deferred", "retry_after": None}, 1, "deferred: nothing could be found out yet; report it again later,"),
    ],
)  # fmt: skip
async def test_each_outcome_is_a_sentence_and_an_exit_code(
    tmp_path: Path, told: dict[str, object], code: int, sentence: str
):
    with scripted(tmp_path / "s", answered(200, {"token": None, **told})) as seen:
        ended = await piped(TOKEN + b"\n", "reject", "shop", **at(tmp_path / "s"))
    assert (ended.code, ended.err, ended.out.count("\n")) == (code, "", 1)
    assert ended.out.startswith(sentence)
    assert hashlib.sha256(TOKEN).hexdigest().encode() in seen[0]
    assert TOKEN not in seen[0]


async def test_a_dead_token_is_replaced_by_a_broker(tmp_path: Path):
    async with house(tmp_path, "default") as served:
        await served.issued()
        task = asyncio.create_task(piped(b"token-of-default", "reject", **at(served.path)))
        await until(lambda: served.issuers["default"].calls or task.done())
        served.issuers["default"].grant("fresh")
        assert (await task).out.startswith("replaced: ")
        assert (await piped(b"another\n", "reject", "default", **at(served.path))).code == 0


async def test_what_only_looks_is_denied_with_77_and_no_broker_is_69(tmp_path: Path):
    async with house(tmp_path, "default", policy=Readable()) as served:
        ended = await piped(TOKEN, "reject", "default", **at(served.path))
        assert ended.one_sentence(77).startswith("access_denied: uid ")
    ended = await piped(TOKEN, "reject", **at(tmp_path / "none"))
    assert ended.one_sentence(69).startswith("no broker is running at ")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"", "stdin is empty"),
        (b"\n", "stdin is empty"),
        (b"X-Auth-Token: " + TOKEN, "is no token"),
        (b'{"token": "x"}', "is no token"),
        (TOKEN + b"\n\n", "is no token"),
        (b"\xff\x00", "is no token"),
        (b"x" * 100_000, "is no token"),
    ],
)
async def test_what_is_no_token_is_wrong_usage_and_is_not_repeated(tmp_path: Path, text: bytes, told: str):
    with scripted(tmp_path / "s", answered(200, {"outcome": "replaced"})) as seen:
        ended = await piped(text, "reject", "shop", **at(tmp_path / "s"))
    assert (ended.code, ended.out, seen) == (2, "", [])
    assert told in ended.err
    assert ended.err.startswith("Usage: broker reject [OPTIONS] [IDENTITY]\n")
    assert TOKEN.decode() not in ended.err


async def test_a_stdin_that_is_closed_is_wrong_usage(tmp_path: Path):
    process = await asyncio.create_subprocess_exec(
        *("sh", "-c", 'exec "$0" -m broker reject shop <&-', sys.executable),
        stderr=asyncio.subprocess.PIPE,
        env=environment(at(tmp_path / "s")),
    )
    async with asyncio.timeout(30):
        _, err = await process.communicate()
    assert process.returncode == 2
    assert b"stdin is closed; pipe the token" in err


async def test_a_token_is_never_typed_nor_an_argument(tmp_path: Path):
    terminal, other = os.openpty()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "broker", "reject", "shop"),
        stdin=other,
        stderr=asyncio.subprocess.PIPE,
        env=environment(at(tmp_path / "s")),
    )
    async with asyncio.timeout(30):
        _, err = await process.communicate()
    os.close(terminal)
    os.close(other)
    assert process.returncode == 2
    assert b"the token is read from stdin, not typed" in err
    assert (await broker("reject", "shop", TOKEN)).code == 2
