"""What a look has found: one line for people, a few fields for programs."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"  # somebody should look by day, or something could not be seen
    PROBLEM = "problem"  # does not work, or soon will not


@dataclass(frozen=True, slots=True)
class Finding:
    """One of them; it never holds a secret."""

    about: str
    level: Level
    says: str
    remedy: str = ""
    absent: bool = False  # it is a problem because no broker answers, and for nothing else

    @property
    def line(self) -> str:
        """What it says, with its remedy."""
        return f"{self.says}; {self.remedy}" if self.remedy else self.says


def ok(about: str, says: str, remedy: str = "") -> Finding:
    """All is well; a remedy here is what to know before it is needed."""
    return Finding(about, Level.OK, says, remedy)


def warning(about: str, says: str, remedy: str = "") -> Finding:
    """Somebody should look."""
    return Finding(about, Level.WARNING, says, remedy)


def problem(about: str, says: str, remedy: str = "", *, absent: bool = False) -> Finding:
    """It does not work; `absent`: because no broker answers."""
    return Finding(about, Level.PROBLEM, says, remedy, absent)


def exit_code(findings: Sequence[Finding]) -> int:
    """0 all well or warnings only; 69 the only trouble is that no broker answers; 1 any other."""
    problems = [finding for finding in findings if finding.level is Level.PROBLEM]
    if not problems:
        return 0
    return 69 if all(finding.absent for finding in problems) else 1


def failure(about: str, error: Exception, *, absent: bool = False) -> Finding:
    """What one of our own errors tells, which is a sentence with its remedy behind a semicolon."""
    says, _, remedy = str(error).partition("; ")
    return problem(about, says, remedy, absent=absent)
