"""Everything that a broker and its commands say, on the way through good and bad, holds no secret.

Each process of every other test is searched as well, when it ends and again at the end of the run.
"""

import asyncio
import signal
from pathlib import Path

import pytest

from tests.contracts.fake_world import FakeWorld
from tests.e2e import keys
from tests.e2e.command import broker
from tests.e2e.conftest import Figures
from tests.e2e.daemon import Daemon
from tests.e2e.spoken import SPOKEN
from tests.e2e.waiting import until
from tests.keystone.asking import validate
from tests.keystone.fixtures import StartKeystone

pytestmark = pytest.mark.e2e


@pytest.mark.keystone
async def test_a_life_in_the_environment(
    start_keystone: StartKeystone, tmp_path: Path, figures: Figures
) -> None:
    """Rule: a key from the environment is in no log, argument or environment, through renewal, rejection and end."""
    world = await start_keystone(life=8)
    key = await world.add_key(await world.add_user())
    daemon = Daemon(tmp_path / "broker", iam={"url": world.url}, own=keys.environment(key))
    tokens: set[str] = set()
    async with daemon:
        readable = _readable(daemon.pid)

        async def renewed() -> bool:
            answer = await daemon.client.token(wait=5)
            assert answer.status == 200, answer.body
            tokens.add(answer.body["token"])
            return len(tokens) > 1

        await until(renewed, 15, "a second token")
        alive = await validate(world, (await daemon.client.token(wait=5)).body["token"])
        assert alive == 200
        await world.delete_key(key)

        async def rejected() -> bool:
            return (await daemon.client.token(wait=0)).body.get("code") == "key_rejected"

        await until(rejected, 15, "the deleted key is rejected")
        commands = await asyncio.gather(
            broker("status", socket=daemon.socket),
            broker("status", "--json", socket=daemon.socket),
            broker("token", "--timeout", "0", socket=daemon.socket),
            broker("token", "nobody", "--timeout", "0", socket=daemon.socket),
        )
        daemon.send(signal.SIGHUP)
    assert key.id in commands[0].out, "the search would find what is there"
    assert [ended.code for ended in commands] == [0, 0, 69, 77]
    log = daemon.log
    assert "token_issued" in log
    assert "issue_failed" in log
    assert [kind for secret, kind in SPOKEN.secrets.items() if secret in log] == []
    figures(tokens=len(tokens), log_lines=len(log.splitlines()), environ_readable=readable)


async def test_no_part_of_a_secret_that_a_hostile_iam_sends_back(tmp_path: Path) -> None:
    """Rule: an answer that is not understood is not repeated in the log either, at any level."""
    faults = ("half", "wrong-json", "no-expiry", "bad-expiry", "200")
    async with FakeWorld.serving() as world:
        keys_of = [await world.add_key(await world.add_user()) for _ in faults]
        for fault, key in zip(faults, keys_of, strict=True):
            world.iam.faults.add(f"{fault}:on=issue,key={key.id}")
        identities = {
            f"i{number}": {"keys": [keys.toml_by_name(tmp_path / f"{number}.toml", key)]}
            for number, key in enumerate(keys_of)
        }
        async with Daemon(tmp_path / "broker", iam={"url": world.url}, identities=identities) as daemon:

            async def all_failed() -> bool:
                rows = (await daemon.client.get("/v1/identities")).body["identities"]
                return all(row["last_fault"] for row in rows)

            await until(all_failed, 10, "every identity fails")
    assert "gAAAAA" not in daemon.log


def _readable(pid: int) -> bool:
    """Whether this user may read the environment of the process; a closed one shows it to nobody but root."""
    try:
        Path(f"/proc/{pid}/environ").read_bytes()
    except PermissionError:
        return False
    return True
