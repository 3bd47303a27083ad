"""The express lane of one listener: in front of the HTTP library, for requests that it has judged before.

Its rules, and why each holds:

- *No judgement.* A request is answered here only if its bytes, all that came at once, are found among those that the full
  path has allowed to a caller of the same evidence (`allowed`). Nothing is parsed, so there is no second parser that could
  see another request than the first. Bytes that were cut or joined on their way are other bytes, and are not found.
- *Nothing is decided twice.* What is not found goes to the full path with all bytes that were read, in their order, and
  with its caller as it was proven when it connected. The lane reads a connection only while the full path does not.
- *No token after its end.* The clock is read for each answer, and compared with the end of what may be sent: the second,
  the phase, the deadline. What a report, a lease or new settings have changed is forgotten before anybody is answered.
- *No half answer.* One that the kernel does not take whole is finished before anything else is read there, or the
  connection ends: nobody who does not read makes the broker keep more than one.
- *Nothing for nothing.* A connection on which nothing comes, or no more, is closed in time; who needs the place of
  another gets it as everywhere, see `crowd`.
"""

import asyncio
import select
import socket
from collections.abc import Callable

import structlog

from broker.core.access import Workload
from broker.serving import punctual
from broker.serving.context import Desk
from broker.serving.punctual import ANSWER_SECONDS
from broker.serving.remembered import Remembered
from broker.serving.seat import NOW, Seat, named, narrow, what_came

_log = structlog.get_logger()

# So many connections have their turn before anything else has, so many times: to come back by way of the loop costs as
# much as two answers. Once some went to the library, where each costs as much as ten, all else has its turn: who floods with
# what is not known here would keep everybody waiting.
_MANY = 32
_ROUNDS = 4
SWEEP_SECONDS = 1.0
# Once the drain is over, what is still open gets this many seconds to end.
LAST_SECONDS = 1.0


class Lane:
    """Belongs to one event loop, which watches one descriptor for all that wait here."""

    def __init__(
        self,
        desk: Desk,
        door: socket.socket,
        accept: Callable[[], bool],
        hand_over: Callable[[Seat, bytes], None],
        turned_away: Callable[[Workload | None], None],
    ) -> None:
        """`accept` is for who waits at the door, the listening socket; False: for no more of them in this turn of the loop.

        `hand_over` gives a connection, with the bytes that were read, to the full path, which is its only owner then.
        """
        self._allowed = desk.allowed
        self._crowd = desk.crowd
        self._now = desk.clock.now
        self._door = door
        self._accept = accept
        self._hand_over = hand_over
        self._turned_away = turned_away
        self._loop = asyncio.get_running_loop()
        self._epoll = select.epoll()
        self._seats: dict[int, Seat] = {}  # by descriptor
        self._heard: list[tuple[Seat, bytes]] = []  # and not answered yet, in this turn of the loop
        self._handed = 0  # to the library, so far
        self._late: set[asyncio.Task[None]] = set()
        self._sweeping: asyncio.TimerHandle | None = None
        self.closed = False

    def open(self) -> None:
        """Hear from now on who sits down here, and who waits at the door once that is open."""
        self._loop.add_reader(self._epoll, self._ready)
        self._sweep()

    def open_door(self) -> None:
        """Have who waits there accepted from now on."""
        self._epoll.register(self._door, select.EPOLLIN)

    def shut_door(self) -> None:
        """Accept no more, until it is opened again."""
        self._epoll.unregister(self._door)

    async def aclose(self) -> None:
        """Answer what has come, and end all connections."""
        self.closed = True
        for _ in range(1 + len(self._seats) // _MANY):
            self._ready()
        if self._sweeping is not None:
            self._sweeping.cancel()
        self._loop.remove_reader(self._epoll)
        for seat in list(self._seats.values()):
            self._close(seat)
        self._epoll.close()
        if self._late:
            await asyncio.wait(self._late, timeout=LAST_SECONDS)
        for task in self._late:
            task.cancel()
        await asyncio.gather(*self._late, return_exceptions=True)

    def take(self, seat: Seat, came: bytes | None, seconds: float) -> None:
        """Let it wait here, for so many seconds at first; `came` is what `accept` has read on it already."""
        seat.due = self._loop.time() + seconds
        self._crowd.enter(seat)
        self._sit(seat)
        if came is not None:
            self._heard.append((seat, came))

    def turn_out(self, seat: Seat) -> None:
        """Somebody else gets its place."""
        self._turned_away(seat.caller)
        self._close(seat)

    def _ready(self) -> None:
        more = not self.closed
        for _ in range(_ROUNDS):
            events, door = self._epoll.poll(0, _MANY), False
            for descriptor, _ in events:
                if (seat := self._seats.get(descriptor)) is not None:
                    self._hear(seat)
                else:
                    door = more
            cheap = self._answer_all()
            # Only now: who has asked is not closed for a newcomer, nor its descriptor taken for another's.
            if door:
                more = self._accept()
                cheap = self._answer_all() and cheap
            # Who waits at the door is among the events even if no more are accepted in this turn.
            at_the_door = 0 if more else 1
            if not cheap or len(events) <= at_the_door:
                return

    def _hear(self, seat: Seat) -> None:
        came = what_came(seat.link)
        if came == b"":
            self._close(seat)
        elif came is not None:
            if not seat.narrow:
                seat.narrow = True
                narrow(seat.link)
            self._heard.append((seat, came))

    def _answer_all(self) -> bool:
        """Those of one round, one right after the other: to wake one who has slept costs more than to answer.

        False: some went to the library.
        """
        heard, self._heard = self._heard, []
        handed = self._handed
        for seat, came in heard:
            if seat.link.fileno() not in self._seats:  # it was closed to make room
                continue
            try:
                self._answer(seat, came)
            except Exception:  # noqa: BLE001
                # A defect ends one connection; the loop would come back to its bytes again and again.
                _log.exception("connection_defect")
                if seat.link.fileno() in self._seats:
                    self._close(seat)
        return self._handed == handed

    def _answer(self, seat: Seat, data: bytes) -> None:
        found = seat.answers.get(data)
        now = self._now()
        if found is None or (now >= found.until and not found.renew(now)):
            # What was kept for the connection may be old; who may have what is asked anew.
            seat.answers = self._allowed.of(seat.caller)
            found = seat.answers.get(data)
            if found is None or (now >= found.until and not found.renew(now)):
                self._rise(seat)
                self._crowd.leave(seat)
                self._handed += 1
                self._hand_over(seat, data)
                return
        found.times += 1
        found.caller = seat.caller
        seat.used, seat.due = True, self._loop.time() + punctual.KEEPALIVE_SECONDS
        self._send(seat, found)

    def _send(self, seat: Seat, found: Remembered) -> None:
        answer = found.rendered
        try:
            sent = seat.link.send(answer, NOW)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError:  # it does not read any more
            self._close(seat)
            return
        if sent < len(answer):
            self._rise(seat)
            self._crowd.works(seat)
            task = self._loop.create_task(self._finish(seat, answer[sent:], last=found.last))
            self._late.add(task)
            task.add_done_callback(self._late.discard)
        elif found.last:
            self._close(seat)

    async def _finish(self, seat: Seat, rest: bytes, *, last: bool) -> None:
        """Send the rest to one who reads slowly; nothing else is read from it until then."""
        try:
            seat.link = link = named(seat.link)
            link.setblocking(False)  # noqa: FBT003  (the library's own signature)
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._loop.sock_sendall(link, rest)
        except (OSError, TimeoutError):
            last = True
        except asyncio.CancelledError:
            self._leave(seat)
            raise
        if last or self.closed:
            self._leave(seat)
        else:
            self._crowd.rests(seat)
            self._sit(seat)

    def _sit(self, seat: Seat) -> None:
        descriptor = seat.link.fileno()
        self._seats[descriptor] = seat
        self._epoll.register(descriptor, select.EPOLLIN)

    def _rise(self, seat: Seat) -> None:
        descriptor = seat.link.fileno()
        self._epoll.unregister(descriptor)
        del self._seats[descriptor]

    def _close(self, seat: Seat) -> None:
        del self._seats[seat.link.fileno()]  # the kernel forgets what is closed by itself
        self._leave(seat)

    def _leave(self, seat: Seat) -> None:
        seat.link.close()
        self._crowd.leave(seat)

    def _sweep(self) -> None:
        now = self._loop.time()
        for seat in [seat for seat in self._seats.values() if seat.due <= now]:
            self._close(seat)
        self._sweeping = self._loop.call_later(SWEEP_SECONDS, self._sweep)
