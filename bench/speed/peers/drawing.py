"""Draws the figures of a run: who answers how many requests, and at which cost, beside Go; with its range.

Run by the Python of the bench's own environment: `python drawing.py FIGURES.json FOLDER`.
"""

import importlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

PANELS = (
    ("requests, keep-alive, 16, Unix", "Requests a second, keep-alive"),
    ("requests, a connection each, 16, Unix", "Requests a second, a connection each"),
    ("CPU each, keep-alive, 16, Unix", "CPU time of a request, keep-alive"),
    ("CPU each, a connection each, 16, Unix", "CPU time of a request, a connection each"),
)
OURS, OTHER, REFERENCE = "#2a7f62", "#a9b4bd", "#44505a"


def bars(figures: Sequence[dict[str, Any]], name: str) -> list[tuple[str, float, float, float]]:
    """Who, the ratio to Go, and how far its rounds reach below and above it; Go itself is 1."""
    found = [
        (each["who"], each["value"], each["value"] - min(each["values"]), max(each["values"]) - each["value"])
        for each in figures
        if each["name"] == name
    ]
    return [*found, ("Go net/http", 1.0, 0.0, 0.0)] if found else []


def main(kept: Path, folder: Path) -> None:
    """Both files."""
    figures = json.loads(kept.read_text())["figures"]
    matplotlib = importlib.import_module("matplotlib")
    matplotlib.use("Agg")
    # The same figures make the same file.
    matplotlib.rcParams.update({"svg.hashsalt": "bench", "svg.fonttype": "none", "font.size": 9})
    pyplot = importlib.import_module("matplotlib.pyplot")
    drawing, axes = pyplot.subplots(2, 2, figsize=(9.5, 5.2))
    for panel, (name, title) in zip(axes.flat, PANELS, strict=True):
        rows = sorted(bars(figures, name), key=lambda row: row[1])
        draw(panel, title, rows)
    drawing.text(
        0.01,
        0.01,
        "Beside a bare Go net/http server in the same run, Unix socket, 16 callers; the median, and from the least to the most",
    )
    drawing.tight_layout(rect=(0, 0.03, 1, 1))
    drawing.savefig(folder / "speed.svg", metadata={"Date": None})
    drawing.savefig(folder / "speed.png", dpi=130)


def draw(panel: Any, title: str, rows: Sequence[tuple[str, float, float, float]]) -> None:  # noqa: ANN401
    """One panel."""
    names = [row[0] for row in rows]
    colours = [
        OURS if name == "this broker" else REFERENCE if name == "Go net/http" else OTHER for name in names
    ]
    reach = [[row[2] for row in rows], [row[3] for row in rows]]
    panel.barh(names, [row[1] for row in rows], xerr=reach, color=colours, capsize=2, height=0.65)
    for at, row in enumerate(rows):
        panel.annotate(
            f"{row[1]:.2f}", (row[1] + row[3], at), (4, 0), textcoords="offset points", va="center"
        )
    panel.axvline(1.0, color=REFERENCE, linewidth=0.8, linestyle=":")
    panel.set_title(title, loc="left", fontweight="bold", fontsize=9)
    panel.margins(x=0.15)
    panel.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
