"""Schemathesis as its users run it: the whole command, all its checks, against a real broker over loopback TCP."""

import asyncio
import sys
from pathlib import Path

import pytest

from tests.contracts.fake_world import FakeWorld
from tests.e2e import keys
from tests.e2e.daemon import Daemon
from tests.fuzz.budget import MINUTES

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180 + 60 * MINUTES)]

EXAMPLES = 20 + int(30 * MINUTES)
# Two of its checks ask for what is not so: a token that lives as long as asked for is not always to be had, which is a
# documented 503; and GET with a body is refused for its body, before anybody looks at what the path knows.
NOT_SO = "not_a_server_error,unsupported_method"


async def test_it_finds_nothing(tmp_path: Path) -> None:
    async with FakeWorld.serving() as world:
        key = await world.add_key(await world.add_user())
        identities = {"default": {"keys": [keys.directory(tmp_path / "key", key)]}}
        iam, listen = {"url": world.url}, [{"tcp": "127.0.0.1:0"}]
        async with Daemon(tmp_path / "b", iam=iam, identities=identities, listen=listen) as daemon:
            assert (await daemon.client.token(wait=10)).status == 200
            code, said = await _run(f"http://{daemon.tcp[0]}/openapi.json", tmp_path)
            assert (await daemon.client.token()).status == 200
            assert daemon.events("request_defect") == daemon.events("connection_defect") == []
    assert code == 0, said


async def _run(document: str, folder: Path) -> tuple[int | None, str]:
    """How it ended, and what it said."""
    command = Path(sys.executable).with_name("schemathesis")
    # Nobody waits: half a minute for each long poll that it makes up would be hours.
    headers = ["--header", "Metadata: true", "--header", "Prefer: wait=0"]
    words = ["run", document, *headers, "--checks", "all", "--exclude-checks", NOT_SO]
    words += ["--max-examples", str(EXAMPLES), "--continue-on-failure", "--no-color"]
    child = await asyncio.create_subprocess_exec(
        command,
        *words,
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    print("schemathesis asks a real broker ...", flush=True)  # noqa: T201  (for make fuzz)
    try:
        said, _ = await asyncio.wait_for(child.communicate(), 170 + 60 * MINUTES)
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    return child.returncode, said.decode()
