"""Serves an application on a listening socket of ours, with our own connections.

- Connections are accepted here and not by the loop's own server: for whoever may not enter, or has left again already,
  nothing is made. They come in small batches, and a storm of them delays others little: they wait in one queue.
- Where `accept` fails, as without a free descriptor, this listener rests for a moment. The loop's own server would
  write dozens of tracebacks a second, and stop for a whole second.
"""

import _socket
import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import structlog
from aiohttp import web

from broker.core.access import Workload
from broker.serving import punctual
from broker.serving.connection import Connection
from broker.serving.context import DESK
from broker.serving.doorway import DOORWAY
from broker.serving.lane import LAST_SECONDS, Lane
from broker.serving.row import Rank
from broker.serving.seat import Seat, accept, named, narrow, what_came
from broker.serving.throttle import peer_of
from broker.serving.turned_away import turned_away

_log = structlog.get_logger()

# So much is accepted before anything else has its turn: a connection that the lane answers costs one, one that goes to the
# library, or is turned away, costs more. A flood makes who is connected wait for each batch: 16 for the library were 3 ms, 4
# are 1, and who waits in the queue is hardly later.
_AT_ONCE = 16
_MUCH = 4
_REST_SECONDS = 0.1
_TOLD_EVERY = 60.0


@asynccontextmanager
async def serving(app: web.Application, listening: socket.socket, *, lane: bool) -> AsyncIterator[None]:
    """Answer on this socket for as long as the context lasts; `lane`: with the express lane in front of the library."""
    # Who leaves takes the handler along: a wait of half a minute for nobody would be counted nowhere.
    runner = web.AppRunner(
        app, handle_signals=False, access_log=None, shutdown_timeout=LAST_SECONDS, handler_cancellation=True
    )
    await runner.setup()
    if runner.server is None:
        raise RuntimeError("the runner was set up and has no server")
    entrance = _Entrance(app, runner.server, listening, lane=lane)
    entrance.open()
    try:
        yield
    finally:
        await entrance.aclose()
        await runner.cleanup()


class _Entrance:
    """Accepts connections on one socket, and gives each to the lane or to the library."""

    def __init__(
        self, app: web.Application, manager: web.Server, listening: socket.socket, *, lane: bool
    ) -> None:
        self._app = app
        self._desk = app[DESK]
        self._doorway = app[DOORWAY]
        self._manager = manager
        self._listening = listening
        listening.setblocking(False)  # noqa: FBT003  (the library's own signature)
        self._family = int(listening.family)
        if self._family != socket.AF_UNIX:  # each accepted one has it, too
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._loop = asyncio.get_running_loop()
        self._lane = (
            Lane(self._desk, listening, self._accept, self._hand_over, self._turn_away) if lane else None
        )
        self._arriving: set[asyncio.Task[object]] = set()
        self._credit = 0  # for what is accepted at once
        self._dear = False  # some of it cost much
        self._rest: asyncio.TimerHandle | None = None
        self._told_at = float("-inf")

    def open(self) -> None:
        """Accept from now on."""
        if self._lane is not None:
            self._lane.open()
        self._listen()

    async def aclose(self) -> None:
        """Accept no more; who waits in the kernel's queue is turned away at once."""
        if self._rest is not None:
            self._rest.cancel()
        else:
            self._shut()
        self._listening.close()
        if self._lane is not None:
            await self._lane.aclose()
        if self._arriving:  # their requests were read: the library is to know of them before it ends
            await asyncio.wait(self._arriving, timeout=LAST_SECONDS)
        for task in self._arriving:
            task.cancel()
        await asyncio.gather(*self._arriving, return_exceptions=True)

    def _shut(self) -> None:
        if self._lane is None:
            self._loop.remove_reader(self._listening)
        else:
            self._lane.shut_door()

    def _listen(self) -> None:
        self._rest = None
        if self._lane is None:
            self._loop.add_reader(self._listening, self._accept)
        else:
            self._lane.open_door()

    def _accept(self) -> bool:
        """Take in who waits, for as long as it costs little; False: it has cost enough for this turn of the loop."""
        self._credit, self._dear = _AT_ONCE, False
        while self._credit > 0:
            self._credit -= 1
            try:
                accepted = accept(self._listening, self._family)
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                break
            except OSError as error:
                self._pause(error)
                return False
            came = what_came(accepted)
            if came == b"":  # it has left again
                accepted.close()
            else:
                self._receive(accepted, came)
        return not self._dear

    def _receive(self, accepted: _socket.socket, came: bytes | None) -> None:
        desk = self._desk
        caller = self._doorway.prove(accepted)
        user, peer = desk.crowd.user(caller), peer_of(accepted, caller)
        too_fast = user.rank is Rank.STRANGER and not desk.throttle.admits(peer, desk.clock.now())
        if too_fast or not desk.crowd.admits(user):
            accepted.close()
            self._turn_away(caller)
            self._cost_much()
            return
        if self._lane is None:
            self._join(
                Connection(self._manager, self._app, self._loop, caller, user, peer, came or b""), accepted
            )
        else:
            self._lane.take(Seat(self._lane, accepted, caller, user, peer), came, punctual.REQUEST_SECONDS)

    def _cost_much(self) -> None:
        self._credit -= _MUCH - 1
        self._dear = True

    def _turn_away(self, caller: Workload | None) -> None:
        turned_away(self._desk, self._doorway, caller, "too_many_connections", "crowd")

    def _hand_over(self, seat: Seat, came: bytes) -> None:
        """From the lane to the library."""
        self._join(
            Connection(
                self._manager, self._app, self._loop, seat.caller, seat.user, seat.peer, came, self._take_back
            ),
            seat.link,
        )

    def _take_back(self, connection: Connection, link: socket.socket) -> None:
        """From the library to the lane."""
        if self._lane is None or self._lane.closed:
            link.close()
        else:
            seat = Seat(self._lane, link, connection.caller, connection.user, connection.peer)
            self._lane.take(seat, None, punctual.KEEPALIVE_SECONDS)

    def _join(self, connection: Connection, plain: _socket.socket) -> None:
        narrow(plain)
        link = named(plain)
        self._cost_much()
        self._desk.crowd.enter(connection)
        joining = self._loop.connect_accepted_socket(lambda: connection, link)
        task = self._loop.create_task(joining)
        self._arriving.add(task)
        task.add_done_callback(partial(self._joined, connection, link))

    def _joined(self, connection: Connection, link: socket.socket, task: asyncio.Task[object]) -> None:
        self._arriving.discard(task)
        error = None if task.cancelled() else task.exception()
        if task.cancelled() or error is not None:
            link.close()
            self._desk.crowd.leave(connection)
        if error is not None and not isinstance(error, OSError):  # which says that the caller is gone already
            _log.error("connection_defect", exc_info=error)

    def _pause(self, error: OSError) -> None:
        """The kernel would tell of the waiting connection again and again, and the loop turn for nothing."""
        self._shut()
        self._rest = self._loop.call_later(_REST_SECONDS, self._listen)
        now = self._loop.time()
        if now - self._told_at >= _TOLD_EVERY:
            self._told_at = now
            _log.warning("accept_failed", listener=self._doorway.label, detail=error.strerror)
