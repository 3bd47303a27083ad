"""What the service manager is told of a running broker, and when: driven by the tick, and by the moments of a reload and an end.

- READY comes once the sockets are served and the first attempt at each lease was decided, whatever came of it: a broker that
  starts while IAM is down is ready, and degraded. An attempt that hangs is waited for a while, no longer.
- The line about the broker is made of all identities, so that it is made anew now and then, and not at each change.
- A sign of life comes from the event loop itself, by a tick that is on time: a loop that stands still gives none, nor does one
  that stands still again and again.
"""

from collections.abc import Callable, Iterable

from broker.core.lease import Lease
from broker.systemd.notify import Manager

PATIENCE = 15.0  # seconds from the start
FRESH = 5.0  # seconds that the line may be old
# So often in the time after which a silent broker is killed.
_SIGNS = 3
# Seconds; a tick may be a little late on any host, however short the watchdog's time.
_LATE = 3.0
_REFUSED = "; new settings were refused, see the log"


class Told:
    """Tells the manager of this broker. Belongs to one event loop."""

    def __init__(
        self,
        manager: Manager,
        status: Callable[[float], str],
        leases: Callable[[], Iterable[Lease]],
        now: float,
    ) -> None:
        """`status` gives a line for people at a moment of the broker's clock, `leases` those of all identities."""
        self._manager = manager
        self._status = status
        self._leases = leases
        self._patient_until = now + PATIENCE
        self._serving = False
        self._ready = False
        self._said = ""
        self._looks_at = now
        self._sign_at = now
        self._ticked_at: float | None = None
        self._refused = False

    def serves(self, now: float) -> None:
        """The sockets are served from now on."""
        self._serving = True
        self._tell(now)

    def lease_changed(self, before: Lease, after: Lease, now: float) -> None:
        """The first attempt may have been decided; an observer of the leases."""
        del before, after
        if self._serving and not self._ready:
            self._tell(now)

    def tick(self, now: float) -> None:
        """Once a second."""
        self._give_sign(now)
        self._tell(now)

    def _give_sign(self, now: float) -> None:
        every = (self._manager.watchdog or 0.0) / _SIGNS
        on_time = self._ticked_at is None or now - self._ticked_at < max(every, _LATE)
        self._ticked_at = now
        if every and on_time and now >= self._sign_at:
            self._sign_at = now + every
            self._manager.alive()

    def _tell(self, now: float) -> None:
        manager = self._manager
        if not manager.listens:
            return
        if not self._ready:
            if now < self._patient_until and not all(map(_decided, self._leases())):
                return
            self._ready = True
            manager.ready(self._line(now))
        elif now >= self._looks_at:
            before = self._said
            if self._line(now) != before:
                manager.status(self._said)

    def reloading(self) -> None:
        """New settings are being taken over, or refused: `reloaded` follows."""
        if self._ready:  # before that, READY would be told too early
            self._manager.reloading()

    def reloaded(self, now: float, *, refused: bool) -> None:
        """The reload has ended; refused settings are told of until others are in force."""
        self._refused = refused
        if self._ready:
            self._manager.ready(self._line(now))

    def _line(self, now: float) -> str:
        self._looks_at = now + FRESH
        self._said = self._status(now) + (_REFUSED if self._refused else "")
        return self._said

    def stopping(self, seconds: float) -> None:
        """No more is taken in, and the end comes within so many seconds."""
        self._manager.stopping(seconds)
        self._manager.close()


def _decided(lease: Lease) -> bool:
    """Whether the first attempt has come to something."""
    return lease.held is not None or (lease.trouble is not None and lease.trouble.count > 0)
