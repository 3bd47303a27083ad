"""A broker as a process, besieged by a browser, while an honest program goes on being served.

- The browser, the broker and the honest program are one user: nothing but the gates tells them apart.
- Leaving the context judges the whole siege: what IAM was asked, the broker's log, memory and loop, the browser's files.
- Metrics that are asked for often are those of a moment ago, so a count is waited for.
"""

import os
import socket
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from broker.core.secret import Secret
from tests.browser.chromium import Chromium
from tests.browser.counters import Counted, read
from tests.contracts.fake_world import FakeWorld
from tests.e2e import keys
from tests.e2e.asking import METADATA, by_aiohttp
from tests.e2e.daemon import Daemon
from tests.e2e.waiting import until

ARRIVED = 10.0  # seconds
GROWTH = 8 * 2**20  # bytes that a siege may add to the broker's memory
LATE = 1.0  # seconds for which its loop may stand still, beside a browser that takes all the processors
# A browser that shows an answer also asks for the icon of its site, as that site (Sec-Fetch-Site: same-origin).
ICON = "browser_request"


@dataclass(slots=True)
class Siege:
    """The besieged broker; what its browser and its evil server do is the tests' affair."""

    daemon: Daemon
    token: str
    honest: int = 0  # tokens that the honest program got over TCP
    came: int = 0  # attempts that the broker saw
    lag: float = 0.0  # seconds, the worst that was seen

    @property
    def ports(self) -> tuple[int, int]:
        """Those on 127.0.0.1 and on [::1]; the second is the first where there is no IPv6."""
        found = [int(address.rpartition(":")[2]) for address in self.daemon.tcp]
        return found[0], found[-1]

    @property
    def digest(self) -> str:
        """The name of the token in a report: more than an attacker knows."""
        return Secret(self.token).sha256()

    async def counted(self) -> Counted:
        found = read(await self.daemon.client.text("/metrics"))
        self.lag = max(self.lag, found.lag)
        return found

    async def be_honest(self) -> None:
        """An honest program gets the token by both ways."""
        assert (await self.daemon.client.token()).body["token"] == self.token
        reply = await by_aiohttp(f"http://{self.daemon.tcp[0]}/v1/token", METADATA)
        assert (reply.status, reply.tree["token"]) == (200, self.token)
        self.honest += 1

    async def settled(self) -> Counted:
        """A look that has all the honest program's tokens in it."""

        async def all_there() -> Counted | None:
            now = await self.counted()
            return now if self.served(now) else None

        return await until(all_there, ARRIVED, "the broker has counted what it served")

    def served(self, now: Counted) -> bool:
        """Whether all of the honest program's tokens are in it; no more may ever be."""
        assert now.tokens <= self.honest
        return now.tokens == self.honest

    async def refused(self, reason: str, since: Counted, times: int = 1) -> Counter[str]:
        """Wait until this many requests since that look are refused for this reason; by reason, all that were.

        None may be refused for another one, and none answered: all tokens are the honest program's.
        """

        async def came() -> Counted | None:
            now = await self.counted()
            return now if now.refused[reason] - since.refused[reason] >= times and self.served(now) else None

        now = await until(came, ARRIVED, f"the broker is asked, and refuses: {reason}")
        refused = now.refused - since.refused
        assert set(refused) <= {reason, ICON}
        assert now.answered["200"] == now.tokens
        assert all(status == "200" or status.startswith("4") for status in now.answered), now.answered
        self.came += 1
        return refused


@asynccontextmanager
async def siege(folder: Path, browser: Chromium) -> AsyncIterator[Siege]:
    """A new broker, to be besieged by this browser."""
    async with FakeWorld.serving() as world:
        key = await world.add_key(await world.add_user())
        daemon = Daemon(
            folder / "b",
            iam={"url": world.url},
            identities={"default": {"keys": [keys.directory(folder / "key", key)]}},
            listen=[{"tcp": "127.0.0.1:0"}, *([{"tcp": "[::1]:0"}] if _has_ipv6() else [])],
        )
        async with daemon:
            besieged = Siege(daemon, (await daemon.client.token(wait=10)).body["token"])
            await besieged.be_honest()
            asked, first = await world.issue_requests(), await besieged.counted()
            yield besieged
            await besieged.be_honest()
            last = await besieged.settled()
            assert (await world.issue_requests(), await world.issued()) == (asked, 1)
            assert last.resident - first.resident < GROWTH
            assert besieged.lag < LATE
            _judge_log(daemon)
            for path, content in browser.files():
                assert besieged.token.encode() not in content, f"the browser has the token in {path.name}"


def _judge_log(daemon: Daemon) -> None:
    """Who was refused, once for each reason and listener; nothing of what a page chose."""
    told = [event for event in daemon.events("refused") if event["level"] == "warning"]
    first = [(event["reason"], event["listener"]) for event in told if "repeated" not in event]
    assert len(set(first)) == len(first)
    assert {event["uid"] for event in told} == {os.getuid()}, "the kernel did not prove the browser's user"
    assert ".test" not in daemon.log


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True
