"""What the simulation must show, and what of it does not hold."""

from collections.abc import Iterator

from bench.sim.outcome import Outcome, Row
from bench.sim.strategy import PATIENCE

MOST_ISSUES = 30  # a week
MOST_UNEVEN = 2.0  # times the mean
# The broker looks at a token each 5 minutes at the latest, asks within a tick, and waits for two answers.
LONGEST_GAP = 310.0  # seconds


def broken(outcome: Outcome) -> list[str]:
    """One sentence for each promise that does not hold."""
    return [*_ours(outcome.ours), *_fleet(outcome.ours), *_others(outcome)]


def _ours(row: Row) -> Iterator[str]:
    ledger = row.week.ledger
    if ledger.avoidable:
        yield f"{row.name}: {ledger.avoidable} failed GETs outside the revocation gap, where there should be none"
    if row.week.issues > MOST_ISSUES:
        yield f"{row.name}: {row.week.issues} tokens issued, of which {MOST_ISSUES} are the most"
    if ledger.longest_dead > LONGEST_GAP:
        yield f"{row.name}: {ledger.longest_dead:.0f} s on a dead token, where {LONGEST_GAP:.0f} s are the most"
    if ledger.longest_wait > PATIENCE + 1:
        yield f"{row.name}: a GET took {ledger.longest_wait:.0f} s, beyond the patience of its client"


def _fleet(row: Row) -> Iterator[str]:
    fleet = row.fleet
    if fleet.peak > MOST_UNEVEN * fleet.mean:
        yield f"{row.name}: the fleet's peak is {fleet.peak} issues in half an hour, of {fleet.mean:.0f} in the mean"
    if fleet.later_peak > fleet.peak:
        yield f"{row.name}: a later window is worse than the first: {fleet.later_peak} issues, after {fleet.peak}"


def _others(outcome: Outcome) -> Iterator[str]:
    for row in outcome.others:
        if not row.week.ledger.avoidable or row.fleet.peak <= MOST_UNEVEN * row.fleet.mean:
            yield f"{row.name}: is no worse, so the simulation shows nothing"
        if row.week.issues <= outcome.ours.week.issues:
            yield f"{row.name}: asks IAM for no more tokens, so the simulation shows nothing"
