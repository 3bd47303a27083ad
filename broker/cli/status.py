"""`broker status`: a table of identities for people, JSON for programs."""

import json
import os
from collections.abc import Sequence
from typing import Any

import click

from broker.client import fetch
from broker.core.durations import rough

_COLUMNS = ("IDENTITY", "STATE", "EXPIRES IN", "PROJECT", "ROLES", "KEY", "LAST FAULT", "NEXT TRY")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(as_json: bool) -> None:
    """Show the identities that you may see: state, life left, project, roles, key, last fault, next try."""
    rows = fetch.status(os.environ)
    if as_json:
        click.echo(json.dumps({"identities": rows}, indent=2))
    else:
        click.echo(render(rows))


def render(rows: Sequence[dict[str, Any]]) -> str:
    """The identities as a table, or a sentence where there is none."""
    if not rows:
        return "There is no identity that you may see; ask as the broker's own user or as root."
    return _table(_COLUMNS, [_cells(row) for row in rows])


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    fault, left = row["last_fault"], row["expires_in"]
    state = row["state"] + (" (stale)" if row["stale"] else "")
    return (
        row["identity"],
        state,
        "-" if left is None else rough(left),
        row["project"]["name"] if row["project"] else "-",
        ", ".join(row["roles"]) or "-",
        row["key"],
        f"{fault['code']} ({fault['count']}x)" if fault else "-",
        row["next_try"],
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their widest cell."""
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
