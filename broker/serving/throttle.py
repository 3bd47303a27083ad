"""How fast strangers are answered: callers whom no grant lets read anything, and those whom the kernel does not prove.

- All work is done in one loop, so who asks without end takes time from those whom the broker is there for. A stranger
  needs a probe or a scrape now and then; whoever may read a token is never limited.
- Who asks too often is answered late and not refused: a burst of probes is heard too. Each has a share of its own, and
  all together have one, because a single person can be thousands of uids.
- Connections cannot be made to wait without keeping them; who makes too many in a second is closed instead.
"""

import _socket
import asyncio
import ipaddress
from dataclasses import dataclass

from broker.core.access import Workload
from broker.core.ports import Clock

MOST_REMEMBERED = 1024
# An IPv6 network, of which one host may have all addresses. An IPv4 address is shorter, and counts as it is.
_NETWORK_BYTES = 8

Peer = int | bytes


@dataclass(frozen=True, slots=True)
class Flow:
    """So many at once, then so many a second."""

    burst: int
    second: float


REQUESTS = Flow(100, 100.0)
ALL_REQUESTS = Flow(1000, 1000.0)
CONNECTIONS = Flow(200, 100.0)


class Throttle:
    """Says when it is a stranger's turn: by virtual scheduling, as in GCRA (ITU-T I.371), each turn has a time of its own."""

    def __init__(self) -> None:
        self._requests = _Lanes(REQUESTS)
        self._all = _Lanes(ALL_REQUESTS)
        self._connections = _Lanes(CONNECTIONS)

    async def turn(self, peer: Peer, clock: Clock) -> None:
        """Return when a request of this peer may be handled. Who leaves meanwhile gives its turn back."""
        now = clock.now()
        at = max(self._requests.book(peer, now), self._all.book(b"", now))
        if at <= now:
            return
        try:
            await clock.wait(asyncio.get_running_loop().create_future(), at)
        except asyncio.CancelledError:
            self._requests.give_back(peer)
            self._all.give_back(b"")
            raise

    def admits(self, peer: Peer, now: float) -> bool:
        """Whether one more connection of this peer may be kept; it is counted if so."""
        if self._connections.book(peer, now) <= now:
            return True
        self._connections.give_back(peer)
        return False


class _Lanes:
    """For each peer the time at which all turns that it has booked would be over, at the flow's steady pace."""

    def __init__(self, flow: Flow) -> None:
        self._every = 1 / flow.second
        self._ahead = (flow.burst - 1) * self._every
        # In the order of the last use. Who is forgotten may have a burst again.
        self._ends: dict[Peer, float] = {}

    def book(self, peer: Peer, now: float) -> float:
        """Take the next turn; the time when it comes, which may be past."""
        end = max(now, self._ends.pop(peer, now))
        self._ends[peer] = end + self._every
        if len(self._ends) > MOST_REMEMBERED:
            del self._ends[next(iter(self._ends))]
        # Sums of a hundredth are not exact; the last of a burst must not wait for a rounding error.
        return end - self._ahead - 1e-9

    def give_back(self, peer: Peer) -> None:
        """One turn of this peer is not needed."""
        if peer in self._ends:
            self._ends[peer] -= self._every


def peer_of(connection: _socket.socket, caller: Workload | None) -> Peer:
    """Who counts as one: a uid; where nobody is proven a network address, or all who come by the Unix socket."""
    if caller is not None:
        return caller.uid
    try:
        return ipaddress.ip_address(connection.getpeername()[0]).packed[:_NETWORK_BYTES]
    except (OSError, IndexError, ValueError):
        return b""
