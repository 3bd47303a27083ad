"""Machines for the tests that boot one, and the packages that are installed on them."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.systemd.machine import Machine, booted
from tests.systemd.prepared import install, prepare
from tests.systemd.rootfs import ROOT, SUITE, missing, rootfs

Boot = Callable[[], Machine]


@pytest.fixture(scope="session")
def files() -> Path:
    """Of every machine. Skips, and says why, where none can be booted."""
    if reason := missing():
        pytest.skip(f"no systemd can be booted here: {reason}")
    return rootfs()


@pytest.fixture(scope="session")
def package(files: Path) -> Path:
    """The Debian package, as `make deb` makes it for the machine's Python."""
    version = (files / "usr/bin/python3").readlink().name.removeprefix("python")
    made = subprocess.run(
        ["make", "--no-print-directory", "deb"],
        cwd=ROOT,
        env={**os.environ, "PYTHON_VERSION": version, "REVISION": f"1~{SUITE}"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return ROOT / made.stdout.split()[-1]


@pytest.fixture(scope="session")
def newer(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same package under the next version."""
    folder = tmp_path_factory.mktemp("newer")
    subprocess.run(["dpkg-deb", "-R", package, folder / "root"], check=True)
    control = folder / "root/DEBIAN/control"
    text = control.read_text(encoding="utf-8")
    control.write_text(
        re.sub(r"^(Version: \S+?)-\S+$", r"\1-9999", text, flags=re.MULTILINE), encoding="utf-8"
    )
    made = folder / "newer.deb"
    subprocess.run(
        ["dpkg-deb", "--root-owner-group", "--build", "-Zgzip", folder / "root", made],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    shutil.rmtree(folder / "root")
    return made


@pytest.fixture(scope="module")
def boot(files: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Boot]:
    """Boots a bare machine."""
    with ExitStack() as stack:

        def start() -> Machine:
            folder = tmp_path_factory.mktemp("machine") / "root"
            folder.mkdir()
            return stack.enter_context(booted(files, folder))

        yield start


@pytest.fixture(scope="module")
def machine(boot: Boot, package: Path) -> Machine:
    """One with the package, an IAM and a key, for the tests of one file; the broker is not started."""
    machine = boot()
    install(machine, package)
    prepare(machine)
    return machine
