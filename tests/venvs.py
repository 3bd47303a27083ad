"""Makes the virtual environments of what the tests run beside the broker: Keystone, clients' own tools, judges of manifests.

- Standard library only: `make keystone` runs it before anything is installed.
- Their hundreds of packages stay out of the project's own environment, so neither side constrains the other.
- Wheels only, checked against the lock's hashes: no compiler is needed, and nothing builds on a user's machine.
- The stamp is written last. A run that was cut short leaves no stamp, and the next one starts afresh.
"""

import fcntl
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


class InstallError(Exception):
    """The environment cannot be made; the message is for the person who ran make."""


@dataclass(frozen=True)
class Venv:
    """One environment, made from the lock file of its name."""

    name: str
    megabytes: int

    @property
    def folder(self) -> Path:
        """Where it is."""
        return ROOT / ".cache" / f"{self.name}-venv"

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    @property
    def lock(self) -> Path:
        """What it is made from."""
        return ROOT / "requirements" / f"{self.name}.lock"

    def is_current(self) -> bool:
        """Whether it is whole and made from today's lock."""
        stamp = self._stamp
        return self.python.exists() and stamp.exists() and stamp.read_text().strip() == self._lock_hash()

    def install(self) -> str:
        """Make it when it is absent or stale; one line says what was done."""
        if sys.version_info < (3, 11):  # noqa: UP036 - it may be run by a python that the project does not support
            raise InstallError(f"Python 3.11 or newer is needed, and this is {sys.version.split()[0]}")
        with self._alone():
            if self.is_current():
                return f"{_short(self.folder)} is up to date"
            self._make()
            self._install_packages()
            self._stamp.write_text(self._lock_hash() + "\n")
        return f"installed into {_short(self.folder)}"

    @property
    def _stamp(self) -> Path:
        return self.folder / "installed-from.sha256"

    def _lock_hash(self) -> str:
        return hashlib.sha256(self.lock.read_bytes()).hexdigest()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Two makes at once take turns; the kernel drops the lock when a run dies."""
        self.folder.parent.mkdir(exist_ok=True)
        with (self.folder.parent / f"{self.name}-venv.lock").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def _make(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        self._say(f"making {_short(self.folder)}")
        made = subprocess.run(
            [sys.executable, "-m", "venv", self.folder], capture_output=True, text=True, check=False
        )
        if made.returncode != 0:
            raise InstallError(
                f"`{sys.executable} -m venv` failed; on Debian and Ubuntu install the package python3-venv"
            )

    def _install_packages(self) -> None:
        """Run pip, turning its hundreds of lines into a short count."""
        total = sum("==" in line for line in self.lock.read_text().splitlines())
        self._say(f"installing up to {total} packages, about {self.megabytes} MB")
        command: list[str | Path] = [self.python, "-m", "pip", "install", "--disable-pip-version-check"]
        command += ["--no-input", "--progress-bar", "off", "--only-binary", ":all:", "--require-hashes"]
        collected, trouble = 0, "it gave no reason"
        with subprocess.Popen(
            [*command, "-r", self.lock], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as pip:
            assert pip.stdout is not None
            for line in pip.stdout:
                if line.startswith(
                    ("Collecting ", "Processing ")
                ):  # from an index, or from a folder of wheels
                    collected += 1
                    if collected % 20 == 0:
                        self._say(f"{collected} collected")
                elif line.startswith("Installing collected packages"):
                    self._say(f"unpacking {collected}")
                elif line.startswith("ERROR:"):
                    trouble = line.removeprefix("ERROR:").strip()
        if pip.returncode != 0:
            raise InstallError(f"pip could not install {_short(self.lock)}: {trouble}")

    def _say(self, text: str) -> None:
        print(f"{self.name}: {text}", flush=True)  # noqa: T201 - progress for the person who ran make


KEYSTONE = Venv("keystone", 200)
TOOLS = Venv("tools", 250)  # the OpenStack and AWS command lines and libraries, for `make e2e-tools`
DEPLOY = Venv(
    "deploy", 60
)  # what judges manifests and Dockerfiles, and writes the list of packages for `make sbom`
_ALL = {venv.name: venv for venv in (DEPLOY, KEYSTONE, TOOLS)}


def _short(path: Path) -> str:
    return str(path.relative_to(ROOT))


def main() -> None:
    """Entry of `make keystone`, `make e2e-tools` and `make sbom`: make the environment of the name that is given."""
    name = sys.argv[1]
    try:
        print(f"{name}: {_ALL[name].install()}", flush=True)  # noqa: T201
    except (InstallError, OSError) as error:
        sys.exit(f"{name}: {error}")


if __name__ == "__main__":
    main()
