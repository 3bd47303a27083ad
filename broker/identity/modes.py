"""Whether the mode of a file or directory keeps a secret, judged on what was opened.

- Others may neither read a secret nor write what a key is made of.
- A group may read a secret only when root owns the file and the group is one of ours, as Kubernetes gives it with
  `fsGroup`; or root's own group, which is also how an access list for one user looks, as systemd sets it on the
  credentials of a service with `User=`.
- A directory that anyone may write into is accepted on a read-only mount: so Kubernetes mounts its (1777) volumes.
"""

import os
import shlex
import stat

from broker.core.errors import Problem


def file_problem(status: os.stat_result, shown: str, *, secret: bool, projected: bool) -> Problem | None:
    """What the mode of an opened file lets a stranger do; `projected` files are mended in their volume."""
    mode = stat.S_IMODE(status.st_mode)
    group_may = status.st_uid == 0 and status.st_gid in {0, os.getegid(), *os.getgroups()}
    if secret and mode & stat.S_IROTH:
        what = "can be read by every user of this host"
    elif mode & stat.S_IWOTH:
        what = "can be written by every user of this host"
    elif secret and mode & stat.S_IRGRP and not group_may:
        what = f"can be read by the group {status.st_gid}"
    else:
        return None
    if projected:
        return Problem(
            shown, what, "set `defaultMode: 0440` on the volume, and `fsGroup` to a group of the broker"
        )
    kept = (0o740 if group_may else 0o700) if secret else 0o775
    return Problem(shown, what, f"run: chmod {mode & kept:04o} {shlex.quote(shown)}")


def directory_problem(descriptor: int, shown: str) -> Problem | None:
    """What the mode of an opened directory lets a stranger do."""
    mode = stat.S_IMODE(os.fstat(descriptor).st_mode)
    if not mode & stat.S_IWOTH or os.fstatvfs(descriptor).f_flag & os.ST_RDONLY:
        return None
    return Problem(
        shown,
        "can be written by every user of this host",
        f"run: chmod {mode & 0o775:04o} {shlex.quote(shown)}",
    )
