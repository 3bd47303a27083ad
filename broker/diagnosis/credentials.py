"""Keys that systemd decrypts for its unit: they are there for that unit alone, and the same for as long as it runs."""

import os
from collections.abc import Mapping
from pathlib import Path

from broker.core.errors import Problem

_FOLDER = "/run/credentials"
RENEWED = (
    "it is decrypted at the start alone: put the next key beside it, not over it, and run systemctl restart; a folder or a "
    "file of the broker's is watched instead (see docs/systemd.md)"
)


def by_systemd(words: str, environ: Mapping[str, str]) -> bool:
    """Whether the key of this source comes so."""
    folders = [_FOLDER, environ.get("CREDENTIALS_DIRECTORY")]
    return any(Path(words).is_relative_to(folder) for folder in folders if folder)


def unseen(words: str, environ: Mapping[str, str]) -> Problem | None:
    """What keeps this process from judging it, which is no fault of the settings."""
    if not by_systemd(words, environ) or os.access(words, os.R_OK):
        return None
    return Problem(
        words,
        "was not looked at: systemd makes it for the unit alone, while that runs",
        "once it runs, run this as root",
    )
