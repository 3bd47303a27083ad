"""What the process asks of the kernel before it does anything: memory and files kept to itself, and room for connections.

Not dumpable: no core file, no debugger of the same user, and /proc/PID belongs to root. Memory is not locked against
swapping: see docs/secrets.md for why, and for what to do instead.
"""

import ctypes
import os
import resource

from broker.core.redaction import redacted
from broker.identity.block import overwrite

_PR_SET_DUMPABLE = 4
# Far more than IAM and the usual number of connections can use.
_FILES = 16384
# So many stay free of connections, see `serving.crowd`.
_KEPT_FREE = 2048


def close_memory() -> None:
    """Make the process not dumpable. Raises OSError where the kernel refuses, which none is known to do."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def close_files() -> None:
    """What is made from now on is nobody else's, unless its maker says so: sockets and their folders do."""
    os.umask(0o077)


def close_environment() -> None:
    """Take what looks like a secret out of the block that /proc/PID/environ shows.

    Passwords in the address of a proxy, keys, what a user has put into the wrong variable. Only the kernel's copy goes:
    this process, and a child of it, has the values on.
    """
    hot = {name: value for name, value in os.environ.items() if (text := f"{name}={value}") != redacted(text)}
    overwrite(hot)
    # What is set anew lies elsewhere.
    os.environ.update(hot)


def allow_connections(most: int) -> None:
    """Raise the soft limit on open files as far as it is of use for so many connections: a login's 1024 is soon reached."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = max(_FILES, most + _KEPT_FREE)
    wanted = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
