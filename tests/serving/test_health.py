"""Health for probes: alive is that it answers, ready is that every identity holds a usable token."""

from pathlib import Path

import pytest

from broker.core.errors import Fault
from tests.serving.house import Readable, house, until


async def test_ready_only_when_every_identity_is_and_who_is_not_says_why(tmp_path: Path):
    async with house(tmp_path, "a", "b", policy=Readable()) as broker:
        await broker.issued("a")
        answer = await broker.get("/readyz")
        assert answer.status == 503
        assert answer.tree == {
            "ready": False,
            "draining": False,
            "identities": {
                "a": {"ready": True, "state": "fresh", "degraded": []},
                "b": {
                    "ready": False,
                    "state": "empty",
                    "degraded": [],
                    "reason": "not_ready",
                    "detail": "the first token is on its way; try again shortly",
                },
            },
        }
        await broker.issued("b")
        answer = await broker.get("/readyz")
        assert (answer.status, answer.tree["ready"]) == (200, True)


@pytest.mark.parametrize(
    ("fault", "code"), [(Fault.REJECTED, "key_rejected"), (Fault.THROTTLED, "iam_throttled")]
)
async def test_degraded_is_ready_and_empty_is_not_each_with_its_reason(
    tmp_path: Path, fault: Fault, code: str
):
    async with house(tmp_path, "default") as broker:
        await broker.issued(life=100)
        await broker.clock.advance(91)
        broker.keyring.observe()
        await until(lambda: broker.issuers["default"].calls)
        broker.issuers["default"].fail(fault, retry_after=300.0)
        await until(lambda: broker.keyring["default"].lease.trouble)
        answer = await broker.get("/readyz")
        assert (answer.status, answer.tree["identities"]["default"]) == (
            200,
            {
                "ready": True,
                "state": "critical",
                "degraded": [code],
            },
        )
        await broker.clock.advance(8)
        answer = await broker.get("/readyz")
        report = answer.tree["identities"]["default"]
        assert (answer.status, report["state"], report["reason"]) == (503, "empty", code)
        assert report["detail"] == f"it is {fault}"


async def test_draining_is_not_ready_but_alive(tmp_path: Path):
    async with house(tmp_path, "default") as broker:
        await broker.issued()
        assert await broker.drain.finish(1)
        answer = await broker.get("/readyz")
        assert (answer.status, answer.tree["ready"], answer.tree["draining"]) == (503, False, True)
        answer = await broker.get("/livez")
        assert (answer.status, answer.tree) == (200, {"status": "ok"})


async def test_alive_whatever_is_missing(tmp_path: Path):
    async with house(tmp_path, "default", policy=Readable()) as broker:
        assert (await broker.get("/readyz")).status == 503
        assert (await broker.get("/livez")).status == 200
        assert broker.issuers["default"].asked == 0  # a probe asks nothing of IAM
