"""The audit trail of a running broker: its outlet as the settings say, and what is told of it where it fails."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import structlog

from broker.core.degraded import Reason
from broker.core.ports import Clock
from broker.observability.audit import Audit
from broker.observability.outlet import Outlet, Sink
from broker.observability.to_file import ToFile
from broker.observability.to_journald import ToJournald
from broker.observability.to_stdout import to_stdout
from broker.serving.books import Auditor, Unheard

_log = structlog.get_logger()

OFF = "off"
_AGAIN = 60.0  # seconds between two warnings: an outlet that fails and works by turns is no news each second


class Auditing:
    """Belongs to the event loop."""

    def __init__(self, audit: Audit | None, outlet: Outlet | None) -> None:
        """Without the two it is off."""
        self.auditor: Auditor = audit or Unheard()
        self._audit = audit
        self._outlet = outlet
        self._told = False  # a trouble that lasts
        self._next = float("-inf")  # when the next one may be told
        self._told_lost = 0  # lines

    def lost(self) -> int:
        """How many lines could not be written."""
        return 0 if self._outlet is None else self._outlet.lost

    def ailments(self) -> Mapping[Reason, str]:
        """What is not in order, with its sentence."""
        trouble = None if self._outlet is None else self._outlet.trouble
        return {} if trouble is None else {Reason.AUDIT_FAILED: trouble}

    def tick(self, now: float) -> None:
        """Once a second."""
        if self._audit is not None and self._outlet is not None:
            self._audit.tick(now)
            self._tell(self._outlet, now)

    def close(self) -> None:
        """Have all that waits written; blocks for as long as an outlet may take at the end."""
        if self._audit is None or self._outlet is None:
            return
        self._audit.close()
        self._outlet.close()
        if self._outlet.untold:
            detail = self._outlet.trouble or "the audit trail was not written to its end in time"
            _log.warning("audit_failed", detail=detail, lost=self._outlet.untold)

    def _tell(self, outlet: Outlet, now: float) -> None:
        trouble = outlet.trouble
        if trouble is None and self._told:
            self._told = False
            _log.info("audit_recovered", lost=outlet.lost - self._told_lost)
            self._told_lost = outlet.lost
        elif trouble is not None and not self._told and now >= self._next:
            self._told, self._next = True, now + _AGAIN
            _log.warning("audit_failed", detail=trouble, lost=outlet.lost - self._told_lost)


@contextmanager
def open_audit(where: str, clock: Clock) -> Iterator[Auditing]:
    """The audit trail to "stdout", "journald", a file's path, or nowhere if "off". Raises ConfigError."""
    if where == OFF:
        yield Auditing(None, None)
        return
    outlet = Outlet(_sink(where), clock.wall)
    auditing = Auditing(Audit(outlet, clock.wall), outlet)
    try:
        yield auditing
    finally:
        auditing.close()


def _sink(where: str) -> Sink:
    match where:
        case "stdout":
            return to_stdout()
        case "journald":
            return ToJournald()
        case path:
            return ToFile(Path(path))
