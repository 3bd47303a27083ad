"""The outcome as people and programs read it."""

from collections.abc import Sequence
from dataclasses import asdict

from bench.speed.contenders import OURS
from bench.speed.figures import Figure, Outcome
from broker.cli.table import table

HEAD = ("figure", "ours", "reference", "ratio (min-max)", "must", "aim", "ok?")
OTHERS_HEAD = ("figure", "who", "measured", "reference", "ratio (min-max)")


def text(outcome: Outcome) -> str:
    """The tables with what explains them."""
    ours = [figure for figure in outcome.figures if figure.who == OURS]
    others = [figure for figure in outcome.figures if figure.who != OURS]
    parts = [*(f"{name}: {value}" for name, value in outcome.machine.items()), ""]
    if ours:
        parts += [table(HEAD, [row(figure) for figure in ours]), ""]
    if others:
        parts += [table(OTHERS_HEAD, [other_row(figure) for figure in others]), ""]
    parts += [f"not measured: {reason}" for reason in outcome.skipped]
    return "\n".join(parts).rstrip()


def tree(outcome: Outcome) -> dict[str, object]:
    """For programs: each figure with its rounds, what is judged of them, and the judgement."""
    return {
        "version": 1,
        "machine": outcome.machine,
        "figures": [_tree(figure) for figure in outcome.figures],
        "skipped": outcome.skipped,
        "failures": outcome.failures,
    }


def row(figure: Figure) -> tuple[str, ...]:
    """The line of one of the broker's figures."""
    met = {True: "yes", False: "NO", None: ""}[figure.is_met]
    return (
        figure.name,
        *_measured(figure),
        *(_bound(figure, at) for at in (figure.goal.must, figure.goal.aim)),
        met,
    )


def other_row(figure: Figure) -> tuple[str, ...]:
    """The line of somebody else."""
    return (figure.name, figure.who, *_measured(figure))


def _measured(figure: Figure) -> tuple[str, str, str]:
    """What it is, what the reference is, and the ratio; without a reference the range stands beside the figure."""
    its = f"{_shown(figure.median)} {figure.unit}"
    spread = f"({_shown(min(figure.values))}-{_shown(max(figure.values))})" if len(figure.values) > 1 else ""
    if not figure.reference:
        return f"{its} {spread}".rstrip(), "", ""
    other = f"{_shown(figure.reference_median)} {figure.unit} {figure.against}"
    return its, other, f"{_shown(figure.value)} {spread}".rstrip()


def _bound(figure: Figure, at: float | None) -> str:
    if at is None:
        return ""
    sign = ">=" if figure.goal.at_least else "<="
    return f"{sign} {_shown(at)}{'' if figure.reference else f' {figure.unit}'}"


def _shown(number: float) -> str:
    if abs(number) >= 100:
        return f"{number:,.0f}"
    return f"{number:.1f}" if abs(number) >= 10 else f"{number:.2f}"


def _tree(figure: Figure) -> dict[str, object]:
    judged: dict[str, Sequence[float] | float | bool | None] = {
        "value": figure.value,
        "values": figure.values,
        "ok": figure.is_met,
    }
    return {**asdict(figure), **judged}
