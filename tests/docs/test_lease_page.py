"""The diagram of the lease is the table of the lease."""

from pathlib import Path

from broker.core.lease import MOVES, State

PAGE = Path(__file__).parents[2] / "docs/lease.md"


def diagram() -> str:
    lines = ["stateDiagram-v2", f"    [*] --> {State.EMPTY}"]
    for state, moves in MOVES.items():
        for move, after in moves.items():
            lines.append(f"    {state} --> {after}: {move.name.lower().replace('_', ' ')}")
    return "\n".join(lines)


def test_the_page_shows_the_table_as_it_is():
    shown = PAGE.read_text().split("```mermaid\n")[1].split("\n```")[0]
    assert diagram() == shown
