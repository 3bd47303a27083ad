"""Keeps the memory of this process to itself.

Not dumpable: no core file, no debugger of the same user, and /proc/PID belongs to root.
"""

import ctypes
import os
import resource

_PR_SET_DUMPABLE = 4


def close_memory() -> None:
    """Make the process not dumpable. Raises OSError where the kernel refuses, which none is known to do."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
