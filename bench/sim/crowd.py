"""The clients of one machine: each asks for the token at its own interval, and uses it at once.

Time is cut into seconds, so that those who ask in the same second cost one turn of the loop.
"""

import asyncio
import random
from collections import defaultdict

from bench.sim.iam import Death
from bench.sim.ledger import Ledger
from bench.sim.strategy import Host, Strategy

_JITTER = 0.2  # of the interval, each time


class Crowd:
    """Belongs to one loop."""

    def __init__(self, host: Host, strategy: Strategy, interval: int, spread: float) -> None:
        """`interval` in seconds between two GETs of a client; they start over `spread` seconds."""
        self.ledger = Ledger()
        self._host = host
        self._strategy = strategy
        self._random = random.Random(f"clients {host.seed}")
        self._interval = interval
        self._wheel: dict[int, list[int]] = defaultdict(list)
        self._getting: set[asyncio.Task[None]] = set()
        self._lives: dict[str, Death | None] = {}  # of tokens, at this moment
        for client in range(host.clients):
            self._wheel[int(self._random.uniform(1, max(spread, interval)))].append(client)

    async def run(self, until: float) -> None:
        """Be busy until the clock reads `until`."""
        clock = self._host.clock
        # The machine's sleep is no time to a client: the wheel turns with its waking hours.
        loop, second = asyncio.get_running_loop(), 0
        begun = loop.time()
        while clock.now() < until:
            second += 1
            await asyncio.sleep(begun + second - loop.time())
            self._lives.clear()
            for client in self._wheel.pop(second, ()):
                self._wheel[second + self._pause()].append(client)
                if self._strategy.ready(client):  # nearly always, and then a task would be wasted
                    self._use(client, await self._strategy.get(client), 0.0)
                else:
                    getting = asyncio.create_task(self._wait(client))
                    self._getting.add(getting)
                    getting.add_done_callback(self._getting.discard)
        await asyncio.gather(*self._getting)

    def _pause(self) -> int:
        return max(1, round(self._interval * (1 + _JITTER * (2 * self._random.random() - 1))))

    async def _wait(self, client: int) -> None:
        asked_at = self._host.clock.now()
        text = await self._strategy.get(client)
        # What was known of a token at the beginning of this second may not hold any more.
        self._lives.clear()
        self._use(client, text, self._host.clock.now() - asked_at)

    def _use(self, client: int, text: str | None, waited: float) -> None:
        if text is None:
            self.ledger.turned_away(waited)
            return
        death = self._death(text)
        self.ledger.used(death, waited)
        if death is not None:
            self._strategy.refused(client, text)

    def _death(self, text: str) -> Death | None:
        """What IAM says of a token in this second: many clients use the same one."""
        if text not in self._lives:
            self._lives[text] = self._host.iam.death(text)
        return self._lives[text]
