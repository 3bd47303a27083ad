"""What keeps failing with one file, why, and the pause before the next attempt: longer each time, up to a minute."""

from dataclasses import dataclass, field

import structlog

from broker.sinks.token_file import TokenFile

_log = structlog.get_logger()

_FIRST = 1.0  # seconds
_LONGEST = 60.0


@dataclass(slots=True)
class Attempts:
    """Attempts at one thing; none has failed yet."""

    why: str | None = None  # one sentence with the remedy; None: the last one has not failed
    until: float = float("-inf")  # on the broker's clock: the end of the pause
    count: int = 0  # of failures in a row

    def failed(self, now: float, why: str) -> None:
        """One more has failed."""
        self.until = now + min(_LONGEST, _FIRST * 2.0 ** min(self.count, 10))
        self.count += 1
        self.why = why

    def anew(self) -> None:
        """It has not failed, or there is something else to attempt: no pause."""
        self.why, self.until, self.count = None, float("-inf"), 0


@dataclass(slots=True)
class Troubles:
    """All that can be wrong with a file."""

    writing: Attempts = field(default_factory=Attempts)
    removing: Attempts = field(default_factory=Attempts)
    looking: Attempts = field(default_factory=Attempts)
    late: str | None = None  # a disk that hangs
    _told: str | None = None

    @property
    def now(self) -> str | None:
        """The worst of it, as one sentence with the remedy."""
        return self.late or self.removing.why or self.writing.why or self.looking.why

    def defect(self, file: TokenFile, now: float) -> None:
        """Something came up that was not foreseen; to be called where it was caught."""
        _log.exception("file_defect", identity=file.identity, path=str(file.path))
        why = f"{file.path} is not kept up, by a defect of the broker; see its log, and please report it"
        for attempts in (self.writing, self.removing, self.looking):
            attempts.failed(now, why)

    def settled(self, *, written: bool) -> None:
        """What was wanted is done: the token is in the file, or none is."""
        if written:
            self.writing.anew()
            self.looking.anew()
        self.removing.anew()

    def tell(self, file: TokenFile) -> None:
        """A change, once."""
        trouble, log = self.now, _log.bind(identity=file.identity, path=str(file.path))
        if trouble == self._told:
            return
        self._told = trouble
        if trouble is None:
            log.info("file_recovered")
        else:
            log.warning("file_failed", detail=trouble)
