"""The broker's own package as a client's environment has it: a wheel, without what only the daemon needs.

It is built and unpacked beside the tools, whose environment stays as its lock says; `PYTHONPATH` adds it. No index is asked.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.command import ROOT
from tests.venvs import TOOLS


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The variables with which the tools' Python finds it."""
    folder = tmp_path_factory.mktemp("installed")
    site = folder / "site"
    _done(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder))
    (wheel,) = folder.glob("*.whl")
    options = ("--quiet", "--no-deps", "--no-index", "--disable-pip-version-check")
    _done(str(TOOLS.python), "-m", "pip", "install", *options, "--target", str(site), str(wheel))
    # Lists of entry points are kept in the home folder.
    return {"PYTHONPATH": str(site), "HOME": str(folder)}


def _done(*words: str) -> None:
    ended = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr or ended.stdout


def page(language: str, words: str) -> str:
    """The block of docs/python.md with these words."""
    text = Path(ROOT / "docs/python.md").read_text()
    (found,) = (
        block.removeprefix(f"{language}\n") for block in text.split("```")[1::2]
        if block.startswith(f"{language}\n") and words in block
    )  # fmt: skip
    return found
