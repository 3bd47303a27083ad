"""The page about secrets names every file in which one leaves the type that guards it."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/secrets.md").read_text()


def test_every_place_where_a_secret_is_revealed_is_on_the_page():
    sources = (ROOT / "broker").rglob("*.py")
    revealing = {
        str(path.relative_to(ROOT / "broker")) for path in sources if ".reveal()" in path.read_text()
    }
    table = PAGE.split("| file | to |")[1].split("\n\n")[0]
    assert set(re.findall(r"`([a-z0-9_/]+\.py)`", table)) == revealing


def test_every_test_that_the_page_names_is_there():
    named = set(re.findall(r"tests/[a-z0-9_/]+\.py", PAGE))
    assert len(named) == 3
    assert all((ROOT / path).is_file() for path in named)
