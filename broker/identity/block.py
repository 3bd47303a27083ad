"""Overwrites variables in the block of memory that the kernel shows as /proc/PID/environ.

`unsetenv` takes a variable from the list and leaves its text in the block for whoever may read /proc. So the text
itself is set to zeros, in every entry of that name: the block may hold one twice, and `getenv` finds only the first.
"""

import ctypes
import os
from collections.abc import Iterable


def overwrite(names: Iterable[str]) -> None:
    """Sets the values to zeros; the names stay, and stay listed until they are unset."""
    libc = ctypes.CDLL(None)
    libc.strncmp.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t]
    libc.strlen.argtypes = [ctypes.c_void_p]
    libc.strlen.restype = ctypes.c_size_t
    entries = ctypes.POINTER(ctypes.c_void_p).in_dll(libc, "environ")
    if ctypes.cast(entries, ctypes.c_void_p).value is None:
        return
    heads = [os.fsencode(name) + b"=" for name in names]
    index = 0
    while (address := entries[index]) is not None:
        for head in heads:
            if libc.strncmp(address, head, len(head)) == 0:
                value = address + len(head)
                ctypes.memset(value, 0, libc.strlen(value))
        index += 1
