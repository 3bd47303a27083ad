"""The client secret of an identity, from a file that holds nothing else.

- The file is one line; the one line end that editors and `openssl` add is taken off.
- Its mode is judged as that of a key's file: a secret that everybody may read keeps nobody out.
- Kubernetes swaps the folder that the path leads through and removes the old one, so that a file may be missing for the
  moment of a look: it is looked for again.
"""

import errno
import re
from pathlib import Path

from broker.core.errors import ConfigError, Problem
from broker.core.secret import Secret
from broker.identity import opening
from broker.identity.trouble import unopened

SHORTEST = 16  # characters: fewer are guessed
LONGEST = 1024  # it stands in variables and in requests
_TRIES = 3
_LINE = re.compile(r"([!-~]*)(\r?\n)?")
_REMEDY = (
    f"write one line of {SHORTEST} to {LONGEST} printable ASCII characters without spaces, "
    "as openssl rand -hex 32 makes it"
)


def read(path: Path) -> Secret:
    """The secret in the file as it stands now; raises ConfigError, whose sentence never repeats what was read."""
    shown = str(path)
    line = _LINE.fullmatch(_content(path, shown).reveal())
    if line is None:
        what = "holds a space, a further line or a character that is not printable ASCII"
    elif not line[1]:
        what = "is empty"
    elif len(line[1]) < SHORTEST:
        what = f"is shorter than {SHORTEST} characters"
    elif len(line[1]) > LONGEST:
        what = f"is longer than {LONGEST} characters"
    else:
        return Secret(line[1])
    raise ConfigError(Problem(shown, what, _REMEDY))


def _content(path: Path, shown: str) -> Secret:
    """What the file holds; one that is opened is read whole, whatever takes its name meanwhile."""
    projected = (path.parent / "..data").is_symlink()
    for _ in range(_TRIES):
        try:
            return opening.read(path, shown, projected=projected)
        except FileNotFoundError:
            continue
    raise ConfigError(unopened(FileNotFoundError(errno.ENOENT, ""), shown))
