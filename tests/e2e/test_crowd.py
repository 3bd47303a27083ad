"""Five hundred callers on an empty lease: one question to IAM, and who hangs up hurts nobody.

The emulator counts a request when it arrives, answered or not.
"""

import asyncio
import time
from pathlib import Path

import pytest

from tests.contracts.fake_world import FakeWorld
from tests.e2e import keys
from tests.e2e.client import Answer, connections
from tests.e2e.conftest import Figures
from tests.e2e.daemon import Daemon
from tests.e2e.waiting import until

pytestmark = pytest.mark.e2e

CROWD = 500


@pytest.mark.parametrize("fault", ["hang:on=issue,times=1", "latency=6:on=issue,times=1"])
async def test_a_crowd_costs_one_issue(fault: str, tmp_path: Path, figures: Figures) -> None:
    """Rule: all wait for the one flight; the one that closes its connection in the middle costs the other 499 nothing."""
    async with FakeWorld.serving() as world:
        held = world.iam.faults.add(fault)
        key = await world.add_key(await world.add_user())
        identities = {"default": {"keys": [keys.directory(tmp_path / "key", key)]}}
        async with Daemon(tmp_path / "broker", iam={"url": world.url}, identities=identities) as daemon:
            began = time.monotonic()
            others = [asyncio.create_task(daemon.client.token(wait=10)) for _ in range(CROWD - 1)]
            await _hang_up(daemon.socket)

            async def all_in() -> bool:
                return connections(daemon.socket) >= CROWD - 1

            await until(all_in, 10, "all callers are connected")
            # Answered after all that came before it, so by then they wait.
            assert (await daemon.client.get("/livez")).status == 200
            waiting = sum(not task.done() for task in others)
            assert waiting == CROWD - 1, "some were answered before there was a token"
            world.iam.faults.remove(held)
            answers = await asyncio.gather(*others)
            took = time.monotonic() - began
        _judge(answers)
        assert await world.issue_requests() == 1
        figures(
            callers=CROWD,
            waited_together=waiting,
            issue_requests=await world.issue_requests(),
            all_answered_within_seconds=took,
            slowest_answer_seconds=max(answer.seconds for answer in answers),
        )


def _judge(answers: list[Answer]) -> None:
    assert [answer.body for answer in answers if answer.status != 200] == []
    assert len({answer.body["token"] for answer in answers}) == 1


async def _hang_up(socket: Path) -> None:
    """A caller that asks, and closes its connection without reading."""
    _, writer = await asyncio.open_unix_connection(str(socket))
    writer.write(b"GET /v1/token HTTP/1.1\r\nHost: broker\r\nPrefer: wait=10\r\n\r\n")
    await writer.drain()
    writer.close()
    await writer.wait_closed()
