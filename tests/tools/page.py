"""The code of a page of docs/, as it stands there: what a reader would copy."""

import re
from pathlib import Path

from tests.e2e.command import ROOT

RECIPES = ROOT / "docs" / "recipes.md"
_HEADING = re.compile(r"^## (.+)$", re.MULTILINE)
# Lines of four spaces, and the empty ones between them.
_BLOCK = re.compile(r"(?:^    .*\n(?:^\n(?=    ))*)+", re.MULTILINE)


def headings(page: Path = RECIPES) -> list[str]:
    """Its sections."""
    return _HEADING.findall(page.read_text())


def blocks(heading: str, page: Path = RECIPES) -> list[str]:
    """The blocks of code of that section."""
    parts = _HEADING.split(page.read_text())
    section = parts[parts.index(heading) + 1]
    return [re.sub(r"^    ", "", block, flags=re.MULTILINE) for block in _BLOCK.findall(section)]
