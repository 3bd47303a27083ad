"""What may run out: open files of the broker, and room where it keeps and writes things."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from broker.diagnosis.finding import Finding, ok, problem, warning
from broker.diagnosis.process import broker_at
from broker.serving.crowd import places_in
from broker.settings import Settings, UnixListener
from broker.settings.defaults import can_be_written, default_cache

_MIB = 1024 * 1024
_LEAST = _MIB  # a cache and some token files take a few dozen kilobytes
_LITTLE = 16 * _MIB
# Where a lock may hang, or a rename not be seen at once.
_FAR = ("nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "glusterfs", "fuse")


def open_files(settings: Settings, proc: Path = Path("/proc")) -> Iterator[Finding]:
    """The limit of the process that serves the first Unix socket, against `serving.connections`."""
    about, wanted = "open files", settings.serving.connections
    pid = next(filter(None, map(_pid, settings.listen)), 0)
    try:
        limit = soft_limit((proc / str(pid) / "limits").read_text()) if pid else None
    except OSError:
        limit = None
    if limit is None:
        yield ok(
            about, "the broker's limit was not seen: no process of this pid namespace that may be looked at"
        )
    elif (room := places_in(limit)) < wanted:
        says = f"the broker may open {limit}, so that {room} can be connected, and serving.connections is {wanted}"
        yield warning(about, says, "raise LimitNOFILE= (ulimit -n), or lower serving.connections")
    else:
        yield ok(about, f"the broker may open {limit}, for {wanted} connections at once")


def soft_limit(text: str) -> int | None:
    """The soft limit on open files in a /proc/PID/limits."""
    for line in text.splitlines():
        if line.startswith("Max open files"):
            word = line.split()[3]
            return int(word) if word.isdecimal() else 1 << 30
    return None


def room(settings: Settings, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Free space and the kind of file system, of the cache and of each folder of token files."""
    if settings.cache.off:
        yield ok("cache", "is off: each start asks IAM for new tokens")
    elif (cache := settings.cache.path or default_cache(environ, can_be_written)) is None:
        yield warning("cache", "no folder was found for this user", "set [cache] path, or off = true")
    else:
        yield from folder(f"cache {cache}", cache)
    for each in dict.fromkeys(file.path.parent for file in settings.files):
        yield from folder(f"token files {each}", each)


def folder(about: str, path: Path) -> Iterator[Finding]:
    """What can be said of one, or of the nearest that is there."""
    there = next(each for each in (path, *path.parents) if os.path.lexists(each) or each == each.parent)
    try:
        space = os.statvfs(there)
    except PermissionError:
        yield warning(
            about, "was not seen: this user may not enter it", "run this as root or the broker's own user"
        )
        return
    free, kind = space.f_bavail * space.f_frsize, file_system(there)
    told = f"{free // _MIB} MiB free on {kind}"
    if free < _LEAST or (space.f_files and not space.f_favail):
        yield problem(about, f"its disk is full ({told})", "make room")
    elif kind.partition(".")[0] in _FAR:
        yield warning(
            about,
            f"is on a network's file system ({told})",
            "choose a local folder, best on tmpfs below /run",
        )
    elif free < _LITTLE:
        yield warning(about, told, "make room")
    else:
        yield ok(about, told)


def file_system(path: Path, mounts: Path = Path("/proc/self/mountinfo")) -> str:
    """The kind of file system that the path is on, as the kernel calls it."""
    real = Path(os.path.realpath(path))
    best, kind = -1, "unknown"
    try:
        lines = mounts.read_text(errors="replace").splitlines()
    except OSError:
        return kind
    for line in lines:
        words, _, more = line.partition(" - ")
        point = Path(words.split()[4])
        if real.is_relative_to(point) and len(point.parts) >= best:
            best, kind = len(point.parts), more.split()[0]
    return kind


def _pid(listener: object) -> int:
    if not isinstance(listener, UnixListener):
        return 0
    try:
        found = broker_at(listener.unix)
    except OSError:
        return 0
    return 0 if found is None else found.pid
