"""The machine's files: a minimal Debian with systemd, made once below .cache from where this host takes its own packages."""

import os
import re
import shutil
import subprocess
import zlib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SUITE = os.environ.get("KAKAOCLOUD_BROKER_SUITE", "trixie")
_PACKAGES = "systemd,systemd-sysv,libpam-systemd,dbus,python3,python3-venv,ca-certificates,iproute2,procps,curl,strace"
_TOOLS = {
    "mmdebstrap": "mmdebstrap",
    "systemd-nspawn": "systemd-container",
    "nsenter": "util-linux",
    "dpkg-deb": "dpkg",
}


_MOUNTS = "mount --make-rprivate / && mount -t tmpfs none /mnt && mount -t cgroup2 none /mnt"


def missing() -> str | None:
    """Why no machine can be booted here, or None."""
    if os.geteuid() != 0:
        return "only root can boot a machine"
    if lacking := [package for tool, package in _TOOLS.items() if shutil.which(tool) is None]:
        return f"install {' '.join(lacking)}"
    if not _sources():
        return "no archive of Debian stands in this host's apt sources"
    # In a container root may lack the right to mount, which is all that a machine asks of its host.
    tried = subprocess.run(
        ["unshare", "--mount", "sh", "-c", _MOUNTS], capture_output=True, text=True, check=False, timeout=20
    )
    return f"this host lets root mount nothing: {tried.stderr.strip()}" if tried.returncode else None


def rootfs() -> Path:
    """Its folder, made where it is not there yet: a minute and a half. Raises CalledProcessError."""
    # Others are others: who changes the list does not go on with what was made before.
    made = ROOT / ".cache" / "systemd" / f"{SUITE}-{zlib.crc32(_PACKAGES.encode()):08x}"
    if made.is_dir():
        return made
    fresh = made.with_name(f"{made.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    command = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={_PACKAGES}", SUITE, str(fresh), "-"]
    subprocess.run(command, input=_sources(), text=True, check=True)
    return fresh.rename(made)


def _sources() -> str:
    """The first archive of Debian that this host's own apt reads, for another release; empty: it reads none."""
    for file in [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]:
        if file.suffix not in {".list", ".sources"}:
            continue
        text = file.read_text(encoding="utf-8") if file.exists() else ""
        if found := re.search(r"^(?:URIs:|deb(?: \[[^]]*\])?) *(\S+/debian/?)\s", f"{text}\n", re.MULTILINE):
            return f"deb {found[1]} {SUITE} main\n"
    return ""
