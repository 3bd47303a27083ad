"""Why a path cannot be opened or read, as a sentence with its remedy."""

import errno
import os
from pathlib import Path

from broker.core.errors import Problem


def unopened(error: OSError, shown: str) -> Problem:
    """The problem behind an error of the system; `shown` is the path as the administrator knows it."""
    match error.errno:
        case errno.ENOENT if Path(shown).is_symlink():
            return Problem(
                shown, "is a link to something that does not exist", "mend the link or create its target"
            )
        case errno.ENOENT:
            return Problem(shown, "does not exist", "create it or correct the path")
        case errno.EACCES | errno.EPERM:
            what = f"may not be read by uid {os.geteuid()}"
            return Problem(shown, what, "let this user read it and enter every folder above it")
        case errno.EISDIR:
            return Problem(shown, "is a directory", "name a file")
        case errno.ENOTDIR:
            return Problem(shown, "has a part that is no directory", "correct the path")
        case errno.ELOOP:
            return Problem(shown, "is a link that leads round in a circle", "mend the link")
        case errno.ENXIO | errno.ENODEV:
            return Problem(shown, "is not a regular file", "name a regular file")
        case code:
            reason = os.strerror(code).lower() if code else "unknown error"
            return Problem(shown, f"cannot be read ({reason})", "check the file and its disk")
