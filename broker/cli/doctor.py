"""`broker doctor`: asks the running broker and the host what is wrong, a line for each finding."""

import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from broker.cli.config import config_option
from broker.cli.ends import without_secrets
from broker.cli.table import table
from broker.diagnosis.doctor import diagnosed
from broker.diagnosis.finding import Finding, Level, exit_code
from broker.hardening import close_memory


@click.command()
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor(config: Path | None, as_json: bool) -> None:
    """Ask the running broker and the host what is wrong: a line for each finding, with its remedy, within 15 s.

    No key is sent anywhere, no token is shown. Any user may run it; root or the broker's own user sees most.

    \b
    Exit codes: 0 all well or warnings alone, 1 a problem, 69 no broker answers and nothing else is a problem.
    Example:
      sudo -u kakaocloud-broker broker doctor
    """  # noqa: D301  (click wants the backspace itself)
    close_memory()
    examined = diagnosed(config, os.environ)
    found = examined.findings
    click.echo(without_secrets(_json(found) if as_json else "\n".join(_lines(found))))
    code = exit_code(found)
    if examined.unfinished:
        # Whatever hangs is not waited for.
        sys.stdout.flush()
        os._exit(code)
    sys.exit(code)


def _lines(found: Sequence[Finding]) -> Iterator[str]:
    yield table(("", "ABOUT", "FINDING"), [(one.level.value, one.about, one.line) for one in found])
    yield ""
    problems, warnings = _count(found, Level.PROBLEM), _count(found, Level.WARNING)
    yield f"{problems} problem{'s' * (problems != 1)}, {warnings} warning{'s' * (warnings != 1)}."


def _json(found: Sequence[Finding]) -> str:
    rows = [
        {"level": one.level, "about": one.about, "says": one.says, "remedy": one.remedy or None}
        for one in found
    ]
    counts = {"problems": _count(found, Level.PROBLEM), "warnings": _count(found, Level.WARNING)}
    return json.dumps({**counts, "findings": rows}, indent=2)


def _count(found: Sequence[Finding], level: Level) -> int:
    return sum(one.level is level for one in found)
