"""Why a token file cannot be written or removed, as one sentence with the remedy."""

import errno
import os
import shlex

from broker.sinks.flight import Left
from broker.sinks.folder import ForeignLink
from broker.sinks.token_file import SinkError, TokenFile

TAKEN = ("is a folder", "name a file inside it as `path`")
FOREIGN = (
    "is there already and every user may read it, so that no broker has written it",
    "remove it if nobody needs it, or name another `path`",
)
ODD = ("is a link, a device or the like, and is not replaced", "name a regular file as `path`")
MODELESS = ("lies on a file system that keeps no modes, so that others could read it", "name another `path`")


class Misplaced(OSError):
    """What the path leads to is no place for a token: something that is not replaced, or no modes."""

    def __init__(self, sentence: tuple[str, str]) -> None:
        super().__init__(errno.EEXIST, "; ".join(sentence))
        self.sentence = sentence


class Emptied(OSError):
    """It could not be removed, and holds no token any more."""

    def __init__(self, why: OSError) -> None:
        super().__init__(why.errno, "it was emptied")


def unwritten(file: TokenFile, error: OSError | SinkError | Left) -> str:
    """Why it could not be written."""
    if isinstance(error, SinkError):
        return str(error)
    if isinstance(error, Left):
        which = file.path if file.template is None else f"{file.path} or of its template {file.template}"
        return f"the disk of {which} does not answer; check the disk and its mount"
    return f"{file.path} {_sentence(file, error, 'cannot be written')}"


def unremoved(file: TokenFile, error: OSError) -> str:
    """Why it could not be removed."""
    if isinstance(error, Emptied):
        return f"{file.path} {_sentence(file, error, 'could not be removed, and was emptied')}"
    return f"{file.path} {_sentence(file, error, 'cannot be removed, and may hold a token that has ended')}"


def late(file: TokenFile, seconds: float) -> str:
    """The disk does not answer."""
    return f"{file.path} is not done with after {seconds:g} s, its disk hangs; check the disk and its mount"


def _sentence(file: TokenFile, error: OSError, what: str) -> str:
    if isinstance(error, Misplaced):
        return "; ".join(error.sentence)
    folder = shlex.quote(str(file.path.parent))
    if isinstance(error, ForeignLink):
        return f"{what} ({error.strerror}); name its folder without links in `path`"
    reason = os.strerror(error.errno).lower() if error.errno else "unknown error"
    return f"{what} ({reason}); {_remedy(file, error, folder)}"


def _remedy(file: TokenFile, error: OSError, folder: str) -> str:
    uid = os.geteuid()
    match error.errno:
        case errno.ENOENT | errno.ENOTDIR:
            return f"create its folder: install -d -m 0750 -o {uid} {folder}"
        case errno.ENOSPC | errno.EDQUOT:
            return "make room on its disk"
        case errno.EROFS:
            return f"mount {folder} so that it can be written"
        case errno.EPERM if _gives_away(file):
            return f"only root may give files away: let uid {uid} be in the group, or leave `owner` out, or run the broker as root"
        case errno.EACCES | errno.EPERM:
            return f"let uid {uid} write {folder}, and remove what another user may have put in its place"
        case errno.EINVAL if _gives_away(file):
            return "`owner` or `group` has no number in this container's user namespace; name others"
        case errno.ELOOP | errno.ENAMETOOLONG:
            return "name its folder without links in `path`"
        case _:
            return "check its disk"


def _gives_away(file: TokenFile) -> bool:
    return file.uid is not None or file.gid is not None
