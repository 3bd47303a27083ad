"""Where the broker is, for a client: KAKAOCLOUD_BROKER_URL, else the first usual socket that exists.

There is never a silent fall-back to TCP, where anybody may have taken the port.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from broker.client.failures import Unreachable

VARIABLE = "KAKAOCLOUD_BROKER_URL"
SYSTEM_SOCKET = Path("/run/kakaocloud-broker/broker.sock")
_SCHEME = "unix://"
# sun_path has 108 bytes, the last of them zero.
_LONGEST = 107


def find(environ: Mapping[str, str], system_socket: Path = SYSTEM_SOCKET) -> tuple[Path, bool]:
    """The broker's socket, and whether the user named it. Raises Unreachable."""
    named = environ.get(VARIABLE)
    if named:
        place = named.removeprefix(_SCHEME)
        if place == named or not place.startswith("/"):
            raise Unreachable(f"{VARIABLE} must be unix:///PATH; this version has no other way to the broker")
        if len(os.fsencode(place)) > _LONGEST:
            raise Unreachable(
                f"{VARIABLE} names a path of more than {_LONGEST} bytes, which no socket can have"
            )
        return Path(place), True
    usual = [system_socket]
    if runtime := environ.get("XDG_RUNTIME_DIR"):
        usual.append(Path(runtime) / "kakaocloud-broker/broker.sock")
    for path in usual:
        if _is_there(path):
            return path, False
    places = " or ".join(str(path) for path in usual)
    raise Unreachable(
        f"no broker is running (there is no {places}); start it with `broker run`, or set {VARIABLE}"
    )


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a folder that we may not enter is not ours to use
        return False


def trusted_owners(path: Path) -> frozenset[int]:
    """The uids that may serve an unnamed socket: root, ourselves, and whoever owns its folder."""
    return frozenset({0, os.getuid(), path.parent.stat().st_uid})
