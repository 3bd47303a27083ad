"""The command: measure, print the table, keep the figures as JSON, and say with the exit code whether they are what they must be."""

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from bench.speed import page, picture, report
from bench.speed.bench import Bench
from bench.speed.ending import CutShort, cut_short_by_signals
from bench.speed.figures import Outcome
from bench.speed.machine import machine
from bench.speed.parts import PARTS, QUICK, figures
from bench.speed.processes import Failed
from bench.speed.tools import CACHE, Tools, tools

_SECONDS = {
    True: 50.0,
    False: 570.0,
}  # of a quick run and a whole one, without what the first of all installs
_ALONE = 1800.0  # of parts that are asked for by name
_FILES = 65_536  # two for each connection that the broker has room for, who gives one user half of its room
_GRACE = 60.0  # beyond that, until the run is cut short


def tell(line: str) -> None:
    """A line of progress; what is asked for goes to stdout."""
    print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)  # noqa: T201


def main(arguments: Sequence[str] | None = None) -> int:
    """0: all is as it must be; 1: a figure is not, or something failed; 2: nothing could be measured."""
    asked = _parser().parse_args(arguments)
    names = tuple(asked.only or (QUICK if asked.quick else PARTS))
    seconds = _ALONE if asked.only and not asked.quick else _SECONDS[asked.quick]
    try:
        with cut_short_by_signals(1200.0):
            found = tools(tell, peers="load" in names or asked.plot is not None)
        with cut_short_by_signals(seconds + _GRACE):
            outcome = measured(found, names, quick=asked.quick, seconds=seconds)
            _keep(outcome, found, asked)
    except CutShort as cut:
        tell("cut short; everything that was started has ended")
        return 128 + cut.number
    except Failed as error:
        tell(str(error))
        return 2
    print(json.dumps(report.tree(outcome), indent=2) if asked.json else report.text(outcome))  # noqa: T201
    for failure in outcome.failures:
        tell(failure)
    return 1 if outcome.failures else 0


def measured(found: Tools, names: tuple[str, ...], *, quick: bool, seconds: float) -> Outcome:
    """Measure these parts within so many seconds."""
    _allow_files()
    with tempfile.TemporaryDirectory(prefix="broker-bench-") as folder:
        bench = Bench(found, Path(folder), tell, quick, time.monotonic() + seconds)
        its = figures(bench, names)
        skipped = (*found.skipped, *dict.fromkeys(bench.skipped))
        return Outcome(machine(found, _how(names, quick=quick)), its, skipped, tuple(bench.faults))


def _allow_files() -> None:
    """Let the servers too have ten thousand connections, as far as this user may."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    for limit in (max(most, _FILES), most):
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
            return


def _how(names: tuple[str, ...], *, quick: bool) -> str:
    what = "whole" if names == tuple(PARTS) else ", ".join(names)
    return f"{what}; quick, so that its figures are rough" if quick else what


def _keep(outcome: Outcome, found: Tools, asked: argparse.Namespace) -> None:
    kept = CACHE / "speed.json"
    kept.write_text(json.dumps(report.tree(outcome), indent=2) + "\n")
    if asked.plot is not None:
        picture.draw(found.peers, kept, asked.plot)
    if asked.page is not None:
        drawn = "" if asked.plot is None else os.path.relpath(asked.plot / "speed.svg", asked.page.parent)
        asked.page.write_text(page.filled(asked.page.read_text(), outcome, drawn))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.speed",
        description="Measures the broker beside a bare Go server, nginx and brokers written in Python, in turn.",
    )
    parser.add_argument("--quick", action="store_true", help="rough figures within a minute")
    parser.add_argument(
        "--only",
        action="append",
        choices=PARTS,
        help="this part, with all the time it takes; may be repeated",
    )
    parser.add_argument("--scale", dest="only", action="append_const", const="scale", help="as --only=scale")
    parser.add_argument("--soak", dest="only", action="append_const", const="growth", help="as --only=growth")
    parser.add_argument("--json", action="store_true", help="print JSON instead of the tables")
    parser.add_argument("--plot", type=Path, metavar="DIR", help="write the picture there, as SVG and PNG")
    parser.add_argument(
        "--page", type=Path, metavar="FILE", help="put the tables between the marks of this page"
    )
    return parser
