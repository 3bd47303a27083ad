"""`broker status`: a table of identities for people, JSON for programs; once, or again and again.

Who may see nothing is denied access, as everywhere, and told the remedy; while watching that is a line, for a grant may
still come. While watching, a broker that is away is shown as such and nothing older is: an old table would be believed.
"""

import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

import click

from broker.cli.table import plain, table, terminal_width
from broker.client import fetch
from broker.client.failures import NOTHING_TO_SEE, BadAddress, Denied, Unreachable
from broker.core.durations import rough

_COLUMNS = ("IDENTITY", "STATE", "EXPIRES IN", "PROJECT", "ROLES", "KEY", "LAST FAULT", "NEXT TRY")
# Who reads for trouble can do without the rest of these.
_CUT = ("KEY", "ROLES", "PROJECT")
_EVERY = 2.0
_HOME, _TO_LINE_END, _TO_END = "\x1b[H", "\x1b[K", "\x1b[J"


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON; with --watch, one document a line.")
@click.option("--watch", is_flag=True, help="Show it again every 2 s, until Ctrl-C.")
def status(as_json: bool, watch: bool) -> None:
    """Show the identities that you may see: state, life left, project, roles, key in use, last fault, next try.

    In brackets stands what is not in order; --json has a sentence with the remedy for each.

    \b
    Exit codes: 69 no broker, 77 access denied.
    Example, while you repair a key:
      broker status --watch
    """  # noqa: D301  (click wants the backspace itself)
    if watch:
        from broker.cli.endless import until_ended  # noqa: PLC0415  (once is the usual way)

        with until_ended():
            _watch(as_json)
        return
    rows = fetch.status(os.environ)
    if not rows:
        raise Denied(NOTHING_TO_SEE)
    if as_json:
        click.echo(json.dumps({"identities": rows}, indent=2))
    else:
        click.echo(render(rows, terminal_width()))


def render(rows: Sequence[dict[str, Any]], width: int | None = None) -> str:
    """The identities as a table, or a sentence where there is none."""
    if not rows:
        return f"{NOTHING_TO_SEE[0].upper()}{NOTHING_TO_SEE[1:]}."
    troubles = [trouble for row in rows for trouble in _files(row)]
    return "\n".join([table(_COLUMNS, [_cells(row) for row in rows], width, _CUT), *troubles])


def _files(row: dict[str, Any]) -> Iterator[str]:
    """A sentence for each token file that is not in order, and for each command of one."""
    for file in row.get("files", ()):
        for part in (file, file["on_change"] or {}):
            if part.get("detail"):
                yield f"{row['identity']}: {plain(part['detail'])}"


def _watch(as_json: bool) -> None:
    in_place = sys.stdout.isatty() and not as_json
    while True:
        began = time.monotonic()
        try:
            rows, problem = fetch.status(os.environ), None
        except BadAddress:
            raise
        except Unreachable as error:
            rows, problem = [], str(error)
        if as_json:
            click.echo(
                json.dumps({"identities": rows} if problem is None else {"identities": [], "error": problem})
            )
        else:
            shown = render(rows, terminal_width()) if problem is None else problem
            click.echo(_redrawn(shown) if in_place else shown + "\n")
        time.sleep(max(0.0, began + _EVERY - time.monotonic()))


def _redrawn(shown: str) -> str:
    """Over what stands there, line by line, so that nothing flickers."""
    lines = [f"{time.strftime('%H:%M:%S')}, every {_EVERY:.0f} s; Ctrl-C ends it", "", *shown.splitlines()]
    return _HOME + "".join(f"{line}{_TO_LINE_END}\n" for line in lines) + _TO_END


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    fault, left = row["last_fault"] or row.get("validation", {}).get("last_fault"), row["expires_in"]
    return (
        row["identity"],
        _state(row),
        "-" if left is None else rough(left),
        row["project"]["name"] if row["project"] else "-",
        ", ".join(row["roles"]) or "-",
        row["key"],
        f"{fault['code']} ({fault['count']}x)" if fault else "-",
        row["next_try"] or "-",
    )


def _state(row: dict[str, Any]) -> str:
    """The state and what is not in order beside the last fault, which has a column of its own."""
    fault = row["last_fault"]
    doubts = ["stale"] if row["stale"] else []
    doubts += [reason for reason in row["degraded"] if not fault or reason != fault["code"]]
    return f"{row['state']} ({', '.join(doubts)})" if doubts else str(row["state"])
