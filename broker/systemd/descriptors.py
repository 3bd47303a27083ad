"""Sockets that were opened before the broker started and outlive it: sd_listen_fds(3), as by a socket unit of systemd.

- Each is told by its own address, as the kernel has it, and goes to the listener of the settings with that address. The name
  that the unit gives it is for people.
- What the settings do not have is refused: people would believe that somebody answers there.
- The variables are taken out of the environment, and no child inherits a descriptor.
"""

import os
import socket
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType

from broker.core.errors import ConfigError, Problem

_FIRST = 3  # SD_LISTEN_FDS_START
_MOST = 64


@dataclass(frozen=True, slots=True)
class Passed:
    """A listening socket that was handed over."""

    name: str
    label: str  # the address: the socket's path, or host:port
    socket: socket.socket


def passed(environ: MutableMapping[str, str]) -> Mapping[str, Passed]:
    """Those of this process, by their addresses. Raises ConfigError for what is no listening stream socket of ours."""
    pid, count = environ.pop("LISTEN_PID", ""), environ.pop("LISTEN_FDS", "")
    names = environ.pop("LISTEN_FDNAMES", "").split(":")
    if pid != str(os.getpid()) or not count.isdecimal():
        return {}
    found: dict[str, Passed] = {}
    for index in range(min(int(count), _MOST)):
        name = names[index] if index < len(names) and names[index] else f"descriptor {_FIRST + index}"
        one = _passed(name, _FIRST + index)
        if one.label in found:
            raise _refused(name, f"listens at {one.label}, as another one does", "remove one of the two")
        found[one.label] = one
    return found


def _passed(name: str, descriptor: int) -> Passed:
    try:
        os.set_inheritable(descriptor, False)  # noqa: FBT003  (the library's own signature, here and below)
        listening = socket.socket(fileno=descriptor)
    except OSError:
        raise _refused(name, "is no socket", "name one in the socket unit") from None
    label = _label(listening) if _listens(listening) else None
    if label is None:
        listening.close()
        raise _refused(
            name,
            "is not one that listens for streams at a path or an address",
            "use ListenStream= in the socket unit, and no Accept=",
        )
    listening.setblocking(False)  # noqa: FBT003
    return Passed(name, label, listening)


def _listens(one: socket.socket) -> bool:
    return one.type == socket.SOCK_STREAM and bool(one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


def _label(listening: socket.socket) -> str | None:
    """The address as the settings' listeners call themselves."""
    where = listening.getsockname()
    match listening.family:
        case socket.AF_UNIX:
            return where if isinstance(where, str) and where.startswith("/") else None
        case socket.AF_INET:
            return f"{where[0]}:{where[1]}"
        case socket.AF_INET6:
            return f"[{where[0]}]:{where[1]}"
        case _:
            return None


NONE_PASSED: Mapping[str, Passed] = MappingProxyType({})


@contextmanager
def lent(one: Passed) -> Iterator[socket.socket]:
    """It, for as long as the context lasts; whoever opened it keeps it, and those who wait in its queue."""
    with one.socket:
        yield one.socket


def _refused(name: str, what: str, remedy: str) -> ConfigError:
    return ConfigError(Problem(f"the socket {name} that was handed over", what, remedy))
