"""Go as Debian packages it, and programs built by it without any network: gophercloud is a source package there.

Root of a Debian gets what is missing by apt; anybody else is told which packages to install.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.e2e.command import ROOT, environment

_SOURCES = Path("/usr/share/gocode")
GOPHERCLOUD = _SOURCES / "src/github.com/gophercloud/gophercloud"
_PACKAGES = ("golang-go", "golang-github-gophercloud-gophercloud-dev")
_APT = 240.0  # seconds; it is 17 with a near mirror
_BUILD = 100.0


def built(source: Path, into: Path) -> Path:
    """The program of this file or folder. Skips the test where there is no Go to build it."""
    _have_it()
    program = into / "program"
    own = {
        "GO111MODULE": "off",
        "GOPATH": str(_SOURCES),
        "GOCACHE": str(ROOT / ".cache/go-build"),
        "GOFLAGS": "",
    }
    subprocess.run(
        ["go", "build", "-o", program, source.name if source.is_file() else "."],
        cwd=source.parent if source.is_file() else source,
        env=environment(own),
        check=True,
        timeout=_BUILD,
    )
    return program


def _have_it() -> None:
    if shutil.which("go") and GOPHERCLOUD.is_dir():
        return
    wanted = f"Debian's {' and '.join(_PACKAGES)} are not installed"
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        pytest.skip(f"{wanted}, and only root of a Debian may install them")
    words = ("apt-get", "install", "--yes", "--quiet", "--no-install-recommends", *_PACKAGES)
    try:
        ended = subprocess.run(words, check=False, capture_output=True, text=True, timeout=_APT)
    except subprocess.TimeoutExpired:
        pytest.skip(f"{wanted}, and apt-get took longer than {_APT:.0f} s")
    if ended.returncode:
        reason = (ended.stderr.strip() or "no reason told").splitlines()[-1]
        pytest.skip(f"{wanted}, and apt-get could not: {reason}")
