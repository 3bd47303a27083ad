"""Has the picture for the documentation drawn, by the Python that has the library for it."""

from pathlib import Path

from bench.speed.processes import Failed, ran

_WITHIN = 120.0  # seconds; the library looks for fonts at its first use
_SCRIPT = Path(__file__).parent / "peers" / "drawing.py"


def draw(python: Path | None, kept: Path, folder: Path) -> None:
    """Write `speed.svg` and `speed.png` into this folder, from the figures kept as JSON. Raises Failed."""
    if python is None:
        raise Failed("the picture needs matplotlib, which pip could not install")
    folder.mkdir(parents=True, exist_ok=True)
    ran([python, _SCRIPT, kept, folder], within=_WITHIN)
