"""A newcomer finds every command, target, page and file that the pages name."""

import re
from pathlib import Path

import click
import pytest

from broker.cli.main import broker

ROOT = Path(__file__).parents[2]
FIRST = ("README.md", "CONTRIBUTING.md", "SECURITY.md")
PAGES = [*(ROOT / name for name in FIRST), *sorted((ROOT / "docs").glob("*.md"))]
# In back-ticks; what stands behind the path is the name of a test.
PATH = re.compile(r"`((?:bench|broker|docs|tests)/[\w./-]+)(?:::\w+)?`")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_named_exists(page):
    context = click.Context(broker)
    for name in re.findall(r"`?(?:\.venv/bin/)?\bbroker ([a-z][a-z-]+)(?=[ `\n])", _code(page.read_text())):
        assert name in broker.list_commands(context)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_make_target_named_exists(page):
    targets = re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for name in re.findall(r"\bmake ([a-z0-9-]+)", _code(page.read_text())):
        assert name in targets


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        assert target.startswith("https://") or (page.parent / target).exists()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_path_named_exists(page):
    """The pages show by a test that something holds: one that is gone would show nothing."""
    for path in PATH.findall(page.read_text()):
        assert (ROOT / path).exists(), path


def test_the_readme_is_one_screen():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 50


def _code(text: str) -> str:
    """What stands in code: indented blocks and back-ticks."""
    blocks = [line for line in text.splitlines() if line.startswith("    ")]
    return "\n".join([*blocks, *re.findall(r"`[^`\n]+`", text)]) + "\n"
