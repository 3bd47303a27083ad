"""Whether this process lives in a container, where root is not the host's root."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

# Left by Docker, Podman and CRI-O, and by systemd for what it starts in a container.
_MARKS = (".dockerenv", "run/.containerenv", "run/systemd/container")
# The kernel's own number for the first pid namespace of the machine.
FIRST_PID_NAMESPACE = 0xEFFFFFFC


def pid_namespace() -> int | None:
    """The number of this process's pid namespace; None where the host hides it."""
    try:
        return Path("/proc/self/ns/pid").stat().st_ino
    except OSError:
        return None


def in_container(
    environ: Mapping[str, str] = os.environ,
    root: Path = Path("/"),
    namespace: Callable[[], int | None] = pid_namespace,
) -> bool:
    """True on any sign of a container: a false yes only keeps root out, a false no would let a stranger's root in."""
    return (
        namespace() != FIRST_PID_NAMESPACE
        or "KUBERNETES_SERVICE_HOST" in environ
        or bool(environ.get("container"))
        or any((root / mark).exists() for mark in _MARKS)
    )
