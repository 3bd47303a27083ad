"""The tables as they stand in the documentation, between two marks that a run fills anew."""

from collections.abc import Sequence

from bench.speed import report
from bench.speed.contenders import OURS
from bench.speed.figures import Outcome
from bench.speed.processes import Failed

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


def filled(page: str, outcome: Outcome, picture: str = "") -> str:
    """The page with the outcome, and the picture at this path, between its marks. Raises Failed where it has none."""
    before, begun, rest = page.partition(BEGIN)
    _, ended, after = rest.partition(END)
    if not (begun and ended):
        raise Failed(f"the page has no place for the tables: {BEGIN} and {END}")
    shown = f"![Requests a second, and CPU time of a request, beside Go]({picture})\n\n" if picture else ""
    return f"{before}{BEGIN}\n\n{shown}{tables(outcome)}\n\n{END}{after}"


def tables(outcome: Outcome) -> str:
    """The tables in Markdown."""
    judged = [figure for figure in outcome.figures if figure.who == OURS and figure.is_met is not None]
    more = [figure for figure in outcome.figures if figure.who == OURS and figure.is_met is None]
    others = [figure for figure in outcome.figures if figure.who != OURS]
    parts = ["; ".join(outcome.machine.values()) + "."]
    parts += [_table(report.HEAD, [report.row(figure) for figure in judged])] if judged else []
    parts += [_table(report.HEAD[:4], [report.row(figure)[:4] for figure in more])] if more else []
    parts += [_table(report.OTHERS_HEAD, [report.other_row(figure) for figure in others])] if others else []
    parts += ["\n".join(f"Not measured: {reason}." for reason in outcome.skipped)] if outcome.skipped else []
    return "\n\n".join(parts)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
