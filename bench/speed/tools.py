"""What the bench builds, finds or installs before it measures; all of it below `.cache/bench`.

- Without a C compiler there is no load, so nothing is measured. Whatever else is not to be had is left out by name.
- Where packages come from is this host's own configuration of pip and Go.
"""

import hashlib
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.speed.processes import Failed, Word, ran

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".cache" / "bench"
_HERE = Path(__file__).parent
_PEERS = _HERE / "peers"
_BUILDS = 300.0  # seconds that one build or installation may take


@dataclass(slots=True)
class Tools:
    """Where everything is; None: it is not to be had."""

    generator: Path
    go_server: Path | None = None
    nginx: Path | None = None
    peers: Path | None = None  # the Python of their environment
    skipped: list[str] = field(default_factory=list)


def tools(tell: Callable[[str], None], *, peers: bool) -> Tools:
    """All that can be had; `peers`: those that pip installs too. Raises Failed without a C compiler."""
    found = Tools(generator(tell))
    _compile_python(tell)

    def add(name: str, hint: str, make: Callable[[], Path]) -> Path | None:
        try:
            return make()
        except Failed as error:
            found.skipped.append(f"{name}: {hint}")
            tell(f"left out: {name}, {hint}: {error}")
            return None

    found.go_server = add(
        "the Go reference and what is measured beside it", "put `go` on the PATH", lambda: _go_server(tell)
    )
    found.nginx = add("nginx", "put it on the PATH (Debian: nginx-light)", lambda: _on_path("nginx"))
    if peers:
        hint = "pip could not install them"
        found.peers = add("elhaz and moto", hint, lambda: _environment("peers", "requirements.txt", tell))
    return found


def _on_path(name: str) -> Path:
    # Debian keeps servers where only root looks.
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin:/usr/local/sbin")
    if found is None:
        raise Failed(f"{name} was not found")
    return Path(found)


def generator(tell: Callable[[str], None]) -> Path:
    """The load generator. Raises Failed without a C compiler."""
    CACHE.mkdir(parents=True, exist_ok=True)
    sources = sorted((_HERE / "load").glob("*.c"))
    headers = sorted((_HERE / "load").glob("*.h"))
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise Failed("the load generator needs a C compiler; install one (Debian: gcc and libc6-dev)")
    command: list[Word] = [compiler, "-O2", "-Wall", "-Wextra", *sources, "-lm", "-o"]
    return _built("load", [*sources, *headers], command, tell)


def _go_server(tell: Callable[[str], None]) -> Path:
    go = shutil.which("go")
    if go is None:
        go = str(_environment("go", "go.txt", tell).parent / "go")
    source = _PEERS / "bare.go"
    return _built("bare", [source], [go, "build", "-o"], tell, last=[source])


def _built(
    name: str,
    sources: Sequence[Path],
    command: Sequence[Word],
    tell: Callable[[str], None],
    last: Sequence[Word] = (),
) -> Path:
    """The program, made anew where its sources are others than those that it was made of."""
    mark = hashlib.sha256(b"\0".join(source.read_bytes() for source in sources)).hexdigest()[:16]
    program = CACHE / f"{name}-{mark}"
    if not program.exists():
        tell(f"building {name}")
        # A build that is cut short leaves nothing that the next run takes for whole.
        half = CACHE / f"{name}-half"
        own = {"GOCACHE": str(CACHE / "go-build"), "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=mod"}
        ran([*command, half, *last], within=_BUILDS, own=own, everything=True)
        half.replace(program)
    return program


def _environment(name: str, wanted: str, tell: Callable[[str], None]) -> Path:
    """The Python of an environment that has these packages."""
    file = _PEERS / wanted
    mark = hashlib.sha256(file.read_bytes() + sys.version.encode()).hexdigest()
    home = CACHE / f"{name}-venv"
    stamp, python = home / "stamp", home / "bin" / "python"
    if not (stamp.exists() and stamp.read_text() == mark):
        tell(f"installing {', '.join(line for line in file.read_text().splitlines() if line[:1] != '#')}")
        shutil.rmtree(home, ignore_errors=True)
        ran([sys.executable, "-m", "venv", home], within=_BUILDS, everything=True)
        pip: list[Word] = [
            python,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-input",
        ]
        ran([*pip, "-r", file], within=_BUILDS, everything=True)
        stamp.write_text(mark)
    return python


def _compile_python(tell: Callable[[str], None]) -> None:
    """A start is measured as it is after an installation, which compiles; here the sources are used as they are."""
    tell("compiling Python")
    folders: list[Word] = [ROOT / "broker", *(path for path in sys.path if path.endswith("site-packages"))]
    ran([sys.executable, "-m", "compileall", "-q", "-q", *folders], within=_BUILDS)
