"""A broker with one identity in order and many in trouble: what it says of them, and how each recovers.

- The one in order is asked all the while, and how long its answers take is kept: another's trouble must not show (L12).
- A recovery is measured from the moment at which its cause went away.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

from tests.e2e.client import Answer
from tests.e2e.command import broker
from tests.e2e.daemon import Daemon
from tests.e2e.waiting import until

WELL = "well"
NOTICED = 15.0  # seconds within which every trouble shows
RECOVERED = 45.0  # a generous bound: backoff and budget of a first token allow half a minute
PACE = 0.05
LONGEST = 1.8  # seconds for an answer to the one in order; an IAM that hangs is waited for longer
AT_ONCE = 4  # commands side by side


async def shown(daemon: Daemon, reasons: Mapping[str, str]) -> None:
    """Wait until every trouble shows its reason, then compare what each way of asking says of it."""

    async def all_noticed() -> bool:
        rows = (await daemon.client.get("/v1/identities")).body["identities"]
        found = {row["identity"]: (row["last_fault"] or {}).get("code") for row in rows}
        return found == {WELL: None, **reasons}

    await until(all_noticed, NOTICED, f"the reasons {reasons}")
    ready = await daemon.client.get("/readyz")
    assert ready.status == 503
    reports = ready.body["identities"]
    assert {name: reports[name]["reason"] for name in reasons} == reasons
    assert reports[WELL]["ready"]
    table = await broker("status", socket=daemon.socket)
    assert table.code == 0
    rows = {line.split()[0]: line for line in table.out.splitlines()}
    assert [name for name, reason in reasons.items() if f"{reason} (" not in rows[name]] == [], table.out
    turn = asyncio.Semaphore(AT_ONCE)
    await asyncio.gather(*(_refused(daemon, name, reason, turn) for name, reason in reasons.items()))


async def _refused(daemon: Daemon, name: str, reason: str, turn: asyncio.Semaphore) -> None:
    async with turn:
        ended = await broker("token", name, "--timeout", "1s", socket=daemon.socket)
    assert (ended.code, ended.out) == (69, "")
    assert len(ended.sentences) == 1, ended.err
    assert reason in ended.err


async def recovery(daemon: Daemon, name: str, good: Callable[[str], Awaitable[bool]], since: float) -> float:
    """Wait for a token that IAM itself calls good; the seconds since then."""

    async def served() -> Answer | None:
        answer = await daemon.client.token(name, wait=1)
        return answer if answer.status == 200 else None

    answer = await until(served, RECOVERED, f"{name} recovers")
    took = time.monotonic() - since
    assert await good(answer.body["token"])
    return took


@asynccontextmanager
async def well_served(daemon: Daemon) -> AsyncIterator[list[float]]:
    """Ask for the identity in order while the context lasts; yields the seconds that each answer took."""
    assert (await daemon.client.token(WELL, wait=10)).status == 200
    took: list[float] = []
    stop = asyncio.Event()

    async def ask() -> None:
        while not stop.is_set():
            answer = await daemon.client.token(WELL)
            assert answer.status == 200, answer.body
            assert not answer.body["stale"]
            took.append(answer.seconds)
            await asyncio.sleep(PACE)

    asking = asyncio.create_task(ask())
    try:
        yield took
    finally:
        stop.set()
        await asking
    assert max(took) < LONGEST
