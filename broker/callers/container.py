"""Whether this process lives in a container, where root is not the host's root."""

import os
from collections.abc import Mapping
from pathlib import Path

# Left by Docker, Podman and CRI-O, and by systemd for what it starts in a container.
_MARKS = (".dockerenv", "run/.containerenv", "run/systemd/container")


def in_container(environ: Mapping[str, str] = os.environ, root: Path = Path("/")) -> bool:
    """True on any sign of a container: a false yes only keeps root out, a false no would let a stranger's root in."""
    return (
        "KUBERNETES_SERVICE_HOST" in environ
        or bool(environ.get("container"))
        or any((root / mark).exists() for mark in _MARKS)
    )
