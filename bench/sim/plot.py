"""The outcome as a picture: SVG, written by hand, since two charts are worth no library.

Above, how many tokens a fleet asks for each half an hour after its restart, on one scale for all strategies; below, the
week's failed GETs on a logarithmic scale, for they lie so far apart.
"""

import math
from collections.abc import Iterator
from xml.sax.saxutils import escape

from bench.sim.outcome import OURS, Outcome, Row

_WIDTH = 760
_LEFT, _RIGHT = 60, 740
_PANEL = 90  # height of one fleet
_GAP = 40
_BAR = 14
_INK, _PALE = "#333", "#ddd"
_GOOD, _BAD, _REVOKED = "#1a7f5a", "#c0392b", "#e8a33d"


def svg(outcome: Outcome) -> str:
    """The picture."""
    top = 50
    below = top + len(outcome.rows) * (_PANEL + _GAP) + 30
    height = below + len(outcome.rows) * (3 * _BAR + 18) + 60
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}"'
    lines = (
        f'{head} font-family="sans-serif" font-size="12">',
        f'<rect width="{_WIDTH}" height="{height}" fill="white"/>',
        *_fleets(outcome, top),
        *_failures(outcome, below),
        "</svg>",
    )
    return "\n".join(lines) + "\n"


def _fleets(outcome: Outcome, top: int) -> Iterator[str]:
    hosts = outcome.fleet_plan.hosts
    yield _text(
        _LEFT - 45, 22, f"Tokens asked for each half an hour after {hosts:,} hosts restart at once", bold=True
    )
    for number, row in enumerate(outcome.rows):
        yield from _fleet(row, hosts, top + number * (_PANEL + _GAP), outcome.fleet_plan.hours)


def _fleet(row: Row, most: int, top: float, hours: float) -> Iterator[str]:
    base, step = top + _PANEL, (_RIGHT - _LEFT) / len(row.fleet.buckets)
    yield _text(_LEFT + 8, top - 2, row.name)
    for share in (0.5, 1.0):
        yield _line(_LEFT, base - share * (_PANEL - 12), _RIGHT, base - share * (_PANEL - 12))
        yield _text(_LEFT - 5, base - share * (_PANEL - 12) + 4, f"{share * most:.0f}", anchor="end")
    colour = _GOOD if row.name == OURS else _BAD
    for number, count in enumerate(row.fleet.buckets):
        if count:
            tall = min(1.0, count / most) * (_PANEL - 12)
            yield _box(_LEFT + number * step + 0.5, base - tall, step - 1, tall, colour)
    yield _line(_LEFT, base, _RIGHT, base, _INK)
    for hour in range(0, int(hours) + 1, 12):
        yield _text(_LEFT + hour / hours * (_RIGHT - _LEFT), base + 14, f"{hour} h", anchor="middle")


def _failures(outcome: Outcome, top: int) -> Iterator[str]:
    most = max(row.week.ledger.failed for row in outcome.rows)
    decades = max(1, math.ceil(math.log10(max(10, most))))
    scale = (_RIGHT - _LEFT - 60) / decades
    tall = len(outcome.rows) * (3 * _BAR + 18)
    yield _text(_LEFT - 45, top - 12, "Failed GETs in the week", bold=True)
    yield _box(_LEFT + 150, top - 22, 10, 10, _BAD)
    yield _text(_LEFT + 164, top - 12, "avoidable")
    yield _box(_LEFT + 240, top - 22, 10, 10, _REVOKED)
    yield _text(_LEFT + 254, top - 12, "of the token that was revoked early, before it was replaced")
    for decade in range(decades + 1):
        yield _line(_LEFT + decade * scale, top, _LEFT + decade * scale, top + tall)
        yield _text(_LEFT + decade * scale, top + tall + 16, f"{10**decade:,}", anchor="middle")
    for number, row in enumerate(outcome.rows):
        at = top + number * (3 * _BAR + 18)
        yield _text(_LEFT + 8, at + 14, row.name)
        yield from _bar(row.week.ledger.avoidable, at + 20, scale, _BAD)
        yield from _bar(row.week.ledger.revoked, at + 22 + _BAR, scale, _REVOKED)


def _bar(count: int, top: float, scale: float, colour: str) -> Iterator[str]:
    long = scale * math.log10(count) if count else 0.0
    if count:
        yield _box(_LEFT, top, max(1.0, long), _BAR, colour)
    yield _text(_LEFT + long + 6, top + _BAR - 3, f"{count:,}")


def _text(x: float, y: float, words: str, *, anchor: str = "start", bold: bool = False) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="{_INK}" text-anchor="{anchor}"{weight}>{escape(words)}</text>'
    )


def _line(x1: float, y1: float, x2: float, y2: float, colour: str = _PALE) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"/>'


def _box(x: float, y: float, wide: float, tall: float, colour: str) -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{tall:.1f}" fill="{colour}"/>'
