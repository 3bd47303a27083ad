"""What the process asks of the kernel before it does anything: memory kept to itself, and room for connections.

Not dumpable: no core file, no debugger of the same user, and /proc/PID belongs to root.
"""

import ctypes
import os
import resource

_PR_SET_DUMPABLE = 4
# Far more than connections and IAM can use.
_FILES = 16384


def close_memory() -> None:
    """Make the process not dumpable. Raises OSError where the kernel refuses, which none is known to do."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def allow_connections() -> None:
    """Raise the soft limit on open files as far as it is of use: each connection is one, and a login's 1024 is soon reached."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
