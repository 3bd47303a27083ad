"""The outcome as people and programs read it."""

from dataclasses import asdict

from bench.sim.outcome import Outcome, Row
from bench.sim.promises import broken
from broker.cli.table import table

HEAD = ("", "failed GETs", "revoked", "longest dead", "tokens", "requests", "fleet: peak / mean", "later")

_KEY = """
failed GETs    got no token, or one that IAM refuses at that moment; without the next column
revoked        got the token that was revoked early, before it was replaced
longest dead   from the end of a token at IAM to its last use
tokens         issued in the week
requests       all that IAM was asked in the week: for tokens, validations, keys, whether answered or not
peak / mean    tokens issued to the fleet in the fullest half an hour of the 3 hours in which it first refreshes
later          in the fullest half an hour after these

"""


def text(outcome: Outcome) -> str:
    """The table with what explains it."""
    reported = outcome.reported.ledger
    told = f"the same revocation, reported by clients: {reported.revoked} failed GETs, {reported.longest_dead:.1f} s"
    return "\n".join((*_premises(outcome), "", rows(outcome), _KEY + told))


def rows(outcome: Outcome) -> str:
    """The table alone."""
    return table(HEAD, [_row(row) for row in outcome.rows])


def tree(outcome: Outcome) -> dict[str, object]:
    """For `--json`."""
    return {
        "plan": asdict(outcome.plan),
        "fleet_plan": asdict(outcome.fleet_plan),
        "strategies": {row.name: _tree(row) for row in outcome.rows},
        "reported": asdict(outcome.reported),
        "broken": broken(outcome),
    }


def _premises(outcome: Outcome) -> tuple[str, ...]:
    plan, fleet = outcome.plan, outcome.fleet_plan
    week = f"{plan.hours / 24:g} days, {plan.clients} clients, a GET of each every {plan.interval} s +-20 %"
    hosts = f"{fleet.hosts:,} hosts restarted at once, {fleet.hours / 24:g} days"
    return (
        f"week: {week}; the broker ticks each second",
        f"fleet: {hosts}; brokers tick when something is due, and validate each 12 h",
        f"seed: {plan.seed}",
    )


def _row(row: Row) -> tuple[str, ...]:
    ledger, fleet = row.week.ledger, row.fleet
    return (
        row.name,
        f"{ledger.avoidable:,}",
        f"{ledger.revoked:,}",
        _span(ledger.longest_dead),
        f"{row.week.issues:,}",
        f"{sum(row.week.asked.values()):,}",
        f"{fleet.peak:,} / {fleet.mean:.0f} = {fleet.peak / fleet.mean:.1f}",
        f"{fleet.later_peak:,}",
    )


def _span(seconds: float) -> str:
    if seconds < 600:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _tree(row: Row) -> dict[str, object]:
    ledger, fleet = row.week.ledger, row.fleet
    return {
        "week": asdict(row.week),
        "failed_gets": {"all": ledger.failed, "avoidable": ledger.avoidable, "revoked": ledger.revoked},
        "fleet": {
            "peak": fleet.peak,
            "mean": fleet.mean,
            "later_peak": fleet.later_peak,
            "issues_per_half_hour": fleet.buckets,
        },
    }
