"""The command: simulate, print the table, and say with the exit code whether the broker keeps its promises."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.sim import plot, report
from bench.sim.fleet import FleetPlan
from bench.sim.outcome import everything
from bench.sim.promises import broken
from bench.sim.week import Plan


def tell(line: str) -> None:
    """A line of progress; what is asked for goes to stdout."""
    print(line, file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """0: all promises hold; 1: one does not."""
    asked = _parser().parse_args(arguments)
    plan = Plan(seed=asked.seed, interval=asked.interval)
    outcome = everything(plan, FleetPlan(seed=asked.seed), tell)
    print(json.dumps(report.tree(outcome), indent=2) if asked.json else report.text(outcome))
    if asked.plot is not None:
        asked.plot.write_text(plot.svg(outcome))
    failures = broken(outcome)
    for failure in failures:
        tell(f"promise broken: {failure}")
    return 1 if failures else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.sim",
        description="Simulates a week of trouble for 500 clients and a restart of 1,000 hosts, for three strategies.",
    )
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same numbers (1)")
    parser.add_argument(
        "--interval", type=int, default=120, help="seconds between two GETs of a client (120)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="write the picture for the docs, as SVG")
    return parser
