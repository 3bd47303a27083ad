"""The commands that are run often load next to nothing: each library here takes longer to load than a request takes."""

import sys
from asyncio.subprocess import PIPE, create_subprocess_exec
from pathlib import Path

import pytest

from tests.cli.command import ROOT, at, environment
from tests.client.scripted import answered, bare, loopback, scripted

pytestmark = pytest.mark.e2e

# As a console script has it; without `site`, whose additions are the environment's and not ours.
COMMAND = "import sys; from broker.__main__ import main; sys.exit(main())"
OURS = {
    "broker", "broker.__main__", "broker.cli", "broker.cli.ends", "broker.cli.plain", "broker.cli.token",
    "broker.client", "broker.client.address", "broker.client.ask", "broker.client.failures", "broker.client.fetch",
    "broker.client.reply",
}  # fmt: skip
CREDENTIALS = {
    "AccessKeyId": "AKIA", "SecretAccessKey": "s", "Token": "t", "Expiration": "2026-01-01T00:00:00Z",
}  # fmt: skip
HEAVY = {
    "aiohttp", "apscheduler", "argparse", "asyncio", "click", "contextlib", "cryptography", "dataclasses", "http",
    "inspect", "ipaddress", "logging", "pathlib", "prometheus_client", "pydantic", "pydantic_settings", "random",
    "selectors", "signal", "socket", "ssl", "structlog", "subprocess", "threading", "traceback", "typing", "urllib",
    "uuid",
}  # fmt: skip


async def loaded(program: str, *words: str, **environ: str) -> set[str]:
    """What the interpreter loaded for it; the start of a token is on its stdin."""
    process = await create_subprocess_exec(
        *(sys.executable, "-S", "-X", "importtime", "-c", program, *words),
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
        env=environment({**environ, "PYTHONPATH": str(ROOT)}),
    )
    _, err = await process.communicate(b"gAAAAA")
    assert process.returncode == 0, err
    return {line.rpartition("|")[2].strip() for line in err.decode().splitlines()}


def tops(modules: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in modules}


async def test_a_token_takes_these_modules_and_no_other(tmp_path: Path):
    before = await loaded("import os, sys")
    for words in ((), ("shop",), ("--format", "header")):
        with scripted(tmp_path / f"s{len(words)}", bare(b"t")):
            after = await loaded(COMMAND, "token", *words, **at(tmp_path / f"s{len(words)}"))
        assert after - before <= OURS | {"__future__", "_socket"}
        assert after >= OURS


async def test_over_loopback_it_takes_no_more(tmp_path: Path):
    """Rule: an address is read without the libraries for addresses; one that is no way to a broker may take them."""
    with scripted(tmp_path / "s", bare(b"t")):
        by_socket = await loaded(COMMAND, "token", **at(tmp_path / "s"))
    server, port = loopback()
    with scripted(server, bare(b"t")):
        by_port = await loaded(COMMAND, "token", KAKAOCLOUD_BROKER_URL=f"http://127.0.0.1:{port}")
    assert by_port == by_socket


@pytest.mark.parametrize(
    ("words", "reply"),
    [
        (("wait",), {"ready": True}),
        (("wait", "shop", "--timeout", "0"), {"ready": True}),
        (("reject", "shop"), {"outcome": "replaced"}),
        (("token", "--format", "json"), {"token": "t"}),
        (
            ("exec", "--", "true"),
            {"identity": "a", "urls": ["http://127.0.0.1:1/identity/v3"], "client_secret": False},
        ),
        (("token", "--timeout", "1s", "--min-ttl", "10m"), None),
        (("s3-credentials", "shop", "--region", "kr-east-1", "--duration", "30m"), CREDENTIALS),
    ],
)
async def test_the_others_take_none_of_the_heavy_ones(tmp_path: Path, words: tuple[str, ...], reply: object):
    with scripted(tmp_path / "s", bare(b"t") if reply is None else answered(200, reply)):
        modules = await loaded(COMMAND, *words, **at(tmp_path / "s"))
    assert not HEAVY & tops(modules)
    rooms = {name.split(".")[1] for name in modules if name.startswith("broker.")}
    assert rooms <= {"__main__", "cli", "client", "core"}
