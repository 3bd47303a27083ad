"""`broker projects`: a table of the user's projects for people, JSON for programs."""

import json
import os
from collections.abc import Sequence
from typing import Any

import click

from broker.cli.table import table, terminal_width
from broker.client import fetch

_COLUMNS = ("NAME", "ID", "DOMAIN", "ENABLED")
_CUT = ("DOMAIN", "NAME")


@click.command()
@click.argument("identity", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def projects(identity: str | None, as_json: bool) -> None:
    """List the projects of IDENTITY's user; without a name, of your only identity or the one called default.

    \b
    Exit codes: 69 no broker or no usable token, 77 access denied.
    Example, the ids alone:
      broker projects --json | jq -r '.projects[].id'
    """  # noqa: D301  (click wants the backspace itself)
    found = fetch.projects(os.environ, identity)
    if as_json:
        click.echo(json.dumps({"projects": found}, indent=2))
    else:
        click.echo(render(found, terminal_width()))


def render(found: Sequence[dict[str, Any]], width: int | None = None) -> str:
    """The projects as a table, or a sentence where there is none."""
    if not found:
        return "The user has no project; ask its administrator for a role in one."
    return table(_COLUMNS, [_cells(project) for project in found], width, _CUT)


def _cells(project: dict[str, Any]) -> tuple[str, ...]:
    """What Keystone told; it may leave out any of these."""
    enabled = project.get("enabled")
    return (
        str(project.get("name") or "-"),
        str(project.get("id") or "-"),
        str(project.get("domain_id") or "-"),
        "-" if enabled is None else "yes" if enabled else "no",
    )
