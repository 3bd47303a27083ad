"""What is measured, as values: a row of rounds, beside the same of a reference, and what it has to reach.

- A ratio is made within a round, between two measurements that lie seconds apart: what else runs on the machine changes
  both. Its median, its least and its most are those of the rounds' ratios, not the ratio of two medians.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Goal:
    """What a figure has to reach, and what it should; None: nothing is asked of it."""

    must: float | None = None
    aim: float | None = None
    at_least: bool = False  # else it is the most that is allowed

    def is_met(self, value: float) -> bool | None:
        """None: nothing is asked."""
        if self.must is None:
            return None
        return value >= self.must if self.at_least else value <= self.must


NO_GOAL = Goal()


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of one server."""

    name: str
    who: str
    unit: str
    rounds: tuple[float, ...]
    against: str = ""  # whom the reference is of; "": it is judged by itself
    reference: tuple[float, ...] = ()
    goal: Goal = NO_GOAL

    def __post_init__(self) -> None:
        if not self.rounds or len(self.reference) not in {0, len(self.rounds)}:
            raise ValueError(
                f"{self.name} of {self.who} has {len(self.rounds)} rounds of {len(self.reference)}"
            )

    @property
    def values(self) -> tuple[float, ...]:
        """What is judged, of each round: the ratio, or the figure itself where it has no reference."""
        if not self.reference:
            return self.rounds
        return tuple(its / other for its, other in zip(self.rounds, self.reference, strict=True))

    @property
    def value(self) -> float:
        """The median of these."""
        return median(self.values)

    @property
    def median(self) -> float:
        """Of what was measured, in its unit."""
        return median(self.rounds)

    @property
    def reference_median(self) -> float:
        """The same of the reference, which is there."""
        return median(self.reference)

    @property
    def is_met(self) -> bool | None:
        """Whether it is what it has to be; None: nothing is asked of it."""
        return self.goal.is_met(self.value)


@dataclass(frozen=True, slots=True)
class Outcome:
    """All that one run measured."""

    machine: dict[str, str]
    figures: tuple[Figure, ...]
    skipped: tuple[str, ...]  # what was not measured, with the reason
    faults: tuple[str, ...]  # what was answered wrongly while it was measured

    @property
    def failures(self) -> Sequence[str]:
        """A sentence for each figure that is not what it has to be, and for each fault."""
        missed = [
            f"{figure.name} is {figure.value:.3g}, of which {figure.goal.must:g} is the "
            f"{'least' if figure.goal.at_least else 'most'}"
            for figure in self.figures
            if figure.is_met is False
        ]
        return [*missed, *self.faults]
