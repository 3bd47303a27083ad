"""Reports of refused tokens: what they cost, whoever sends them and however often (invariant L9).

- A report about another token than the one that is held changes nothing.
- The first report opens a window; within it, reports cost at most one validation and one reissue.
- IAM caches its validations, so a second report of a token that was found valid in the same window is believed: a new
  token is asked for. That is done ever more rarely, down to once an hour.
"""

from dataclasses import dataclass, replace
from enum import Enum, StrEnum, auto

WINDOW = 30.0  # seconds
LONGEST = 3600.0  # seconds between two reissues that only reports have forced


class Outcome(StrEnum):
    """What came of a report; the words of INTERFACE section 4."""

    REPLACED = "replaced"
    STILL_VALID = "still_valid"
    SUPERSEDED = "superseded"
    DEFERRED = "deferred"


class Reaction(Enum):
    """What a report of the token that is held leads to."""

    NOTHING = auto()
    VALIDATE = auto()
    REISSUE = auto()


@dataclass(frozen=True, slots=True)
class Reports:
    """The reports of the last window, and the reissues that were forced before."""

    until: float = float("-inf")  # when the window ends
    since: float = float("-inf")  # when it began
    asked: str = ""  # digest of the token that was validated for it
    valid: str = ""  # digest of the token that was found valid in it
    spent: bool = False  # its reissue
    forced: int = 0
    next_forced: float = float("-inf")


def react(reports: Reports, at: float, digest: str, *, can_validate: bool) -> tuple[Reports, Reaction]:
    """What to do for a report, and what is remembered of it."""
    if at >= reports.until:
        reports = replace(reports, since=at, until=at + WINDOW, asked=digest, valid="", spent=False)
        if can_validate:
            return reports, Reaction.VALIDATE
    elif can_validate and reports.valid != digest:
        return reports, Reaction.NOTHING
    if reports.spent or at < reports.next_forced:
        return reports, Reaction.NOTHING
    calm = at >= reports.next_forced + LONGEST
    forced = 1 if calm else reports.forced + 1
    wait = min(LONGEST, WINDOW * 2.0 ** min(forced, 16))
    return replace(reports, spent=True, forced=forced, next_forced=at + wait), Reaction.REISSUE


def found_valid(reports: Reports, digest: str, left_at: float) -> Reports:
    """A validation that left at this moment says that this token lives; one from before the report says nothing."""
    heard = digest == reports.asked and left_at >= reports.since
    return replace(reports, valid=digest) if heard else reports
