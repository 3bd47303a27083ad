"""Makes the virtual environment that the tests' Keystone runs in.

- Standard library only: `make keystone` runs it before anything is installed.
- Keystone's hundred packages stay out of the project's own environment, so neither side constrains the other.
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
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / "requirements" / "keystone.lock"
VENV = ROOT / ".cache" / "keystone-venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "installed-from.sha256"


class InstallError(Exception):
    """The environment cannot be made; the message is for the person who ran make."""


def is_current() -> bool:
    """Whether the environment is whole and made from today's lock."""
    return PYTHON.exists() and STAMP.exists() and STAMP.read_text().strip() == _lock_hash()


def install() -> str:
    """Make the environment when it is absent or stale; one line says what was done."""
    if sys.version_info < (3, 11):  # noqa: UP036 - it may be run by a python that the project does not support
        raise InstallError(f"Python 3.11 or newer is needed, and this is {sys.version.split()[0]}")
    with _alone():
        if is_current():
            return f"{_short(VENV)} is up to date"
        _make_venv()
        _install_packages()
        STAMP.write_text(_lock_hash() + "\n")
    return f"installed Keystone into {_short(VENV)}"


def _lock_hash() -> str:
    return hashlib.sha256(LOCK.read_bytes()).hexdigest()


def _short(path: Path) -> str:
    return str(path.relative_to(ROOT))


@contextmanager
def _alone() -> Iterator[None]:
    """Two makes at once take turns; the kernel drops the lock when a run dies."""
    VENV.parent.mkdir(exist_ok=True)
    with (VENV.parent / "keystone-venv.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _make_venv() -> None:
    shutil.rmtree(VENV, ignore_errors=True)
    _say(f"making {_short(VENV)}")
    made = subprocess.run([sys.executable, "-m", "venv", VENV], capture_output=True, text=True, check=False)
    if made.returncode != 0:
        raise InstallError(
            f"`{sys.executable} -m venv` failed; on Debian and Ubuntu install the package python3-venv"
        )


def _install_packages() -> None:
    """Run pip, turning its hundreds of lines into a short count."""
    total = sum("==" in line for line in LOCK.read_text().splitlines())
    _say(f"installing up to {total} packages, about 200 MB")
    command: list[str | Path] = [PYTHON, "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    command += ["--progress-bar", "off", "--only-binary", ":all:", "--require-hashes", "-r", LOCK]
    collected, trouble = 0, "it gave no reason"
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as pip:
        assert pip.stdout is not None
        for line in pip.stdout:
            if line.startswith(("Collecting ", "Processing ")):  # from an index, or from a folder of wheels
                collected += 1
                if collected % 20 == 0:
                    _say(f"{collected} collected")
            elif line.startswith("Installing collected packages"):
                _say(f"unpacking {collected}")
            elif line.startswith("ERROR:"):
                trouble = line.removeprefix("ERROR:").strip()
    if pip.returncode != 0:
        raise InstallError(f"pip could not install {_short(LOCK)}: {trouble}")


def _say(text: str) -> None:
    print(f"keystone: {text}", flush=True)  # noqa: T201 - progress for the person who ran make


def main() -> None:
    """Entry of `make keystone`."""
    try:
        _say(install())
    except (InstallError, OSError) as error:
        sys.exit(f"keystone: {error}")


if __name__ == "__main__":
    main()
