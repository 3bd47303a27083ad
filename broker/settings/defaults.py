"""What holds where nothing is said: the identity `default` from the environment, and one socket beside two addresses of loopback."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from broker.core.errors import Problem
from broker.identity.environment import EXPORT, FAMILIES, OPENSTACK, is_set
from broker.identity.sources import ENVIRONMENT
from broker.settings.draft import Draft
from broker.settings.listeners import Address, TcpListener, TcpListenerIfAvailable

AUTH_URL = "OS_AUTH_URL"
SYSTEM_FOLDER = Path("/run/kakaocloud-broker")
SYSTEM_CACHE = Path("/run/kakaocloud-broker-state")  # beside the socket's folder, which workloads may enter
PORT = 9780
_OWN_FOLDER = "kakaocloud-broker"
_STATE = "-state"
_SOCKET = "broker.sock"


def default_identity(draft: Draft, environ: Mapping[str, str], standard_file: Path) -> None:
    """The key of the environment, where the draft has no identity; OS_AUTH_URL goes with OpenStack's key only."""
    if draft.table.get("identities", {}) != {} or draft.origin(("identities",)) is not None:
        return
    if any(is_set(family, environ) for family in FAMILIES):
        draft.table["identities"] = {"default": {"keys": [ENVIRONMENT]}}
        url = environ.get(AUTH_URL)
        if url and is_set(OPENSTACK, environ):
            draft.put(("identities", "default", "iam_url"), versioned(url), AUTH_URL)
        return
    file = draft.file or str(standard_file)
    remedy = f'{EXPORT}, or write [identities.default] with keys = ["/..."] into {file}'
    draft.problems.append(Problem(draft.where(("identities",)), "names no access key", remedy))
    draft.table["identities"] = {}


def versioned(url: str) -> str:
    """An address of Keystone with its version, which OpenStack's clients may leave out."""
    plain = url.rstrip("/")
    return plain if plain.endswith("/v3") else f"{plain}/v3"


def default_listener(draft: Draft, environ: Mapping[str, str]) -> None:
    """One socket and loopback, where the draft has no listener."""
    if "listen" in draft.table or draft.origin(("listen",)) is not None:
        return
    socket = default_socket(environ, can_be_written)
    if socket is None:
        remedy = (
            "run this as the user who runs the broker, "
            "set RUNTIME_DIRECTORY or XDG_RUNTIME_DIR, or name a socket under [[listen]]"
        )
        draft.problems.append(
            Problem(draft.where(("listen",)), "has no folder for the default socket", remedy)
        )
    else:
        draft.table["listen"] = [
            {"unix": str(socket)},
            TcpListener(tcp=Address("127.0.0.1", PORT)),
            TcpListenerIfAvailable(tcp=Address("::1", PORT)),
        ]


def default_socket(environ: Mapping[str, str], usable: Callable[[Path], bool]) -> Path | None:
    """Where the socket goes when nobody says; `usable` tells whether a folder can be made or written."""
    # systemd lists every RuntimeDirectory= of the unit, separated by colons.
    given = environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    if given:
        return Path(given) / _SOCKET
    if usable(SYSTEM_FOLDER):
        return SYSTEM_FOLDER / _SOCKET
    session = environ.get("XDG_RUNTIME_DIR")
    return Path(session) / _OWN_FOLDER / _SOCKET if session else None


def default_cache(environ: Mapping[str, str], usable: Callable[[Path], bool]) -> Path | None:
    """Where the cache goes when nobody says, None: nowhere; `usable` tells whether a folder can be made or written."""
    state = environ.get("STATE_DIRECTORY", "").partition(":")[0]
    if state:
        return Path(state)
    for given in environ.get("RUNTIME_DIRECTORY", "").split(":"):
        if given.endswith(_STATE):
            return Path(given)
    if usable(SYSTEM_CACHE):
        return SYSTEM_CACHE
    session = environ.get("XDG_RUNTIME_DIR")
    return Path(session) / f"{_OWN_FOLDER}{_STATE}" if session else None


def can_be_written(folder: Path) -> bool:
    """Whether this process may write the folder, or make it; looks, and makes nothing."""
    if not folder.is_dir():
        if folder.exists():
            return False
        folder = folder.parent
    return os.access(folder, os.W_OK | os.X_OK, effective_ids=True)
