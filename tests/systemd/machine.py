"""A machine that boots a real systemd: systemd-nspawn over a copy of the files that goes with it.

- All mounts are in a mount namespace of its own, and end with its last process: nothing is left on the host.
- Its systemd gets a fresh cgroup2 tree below a cgroup of its own, whatever the host has.
- It has loopback and no other network.
"""

import itertools
import os
import shlex
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

# $1 the files, $2 a folder for what is written, $3 the cgroup.
_BOOT = """set -e
mount --make-rprivate /
mount -t tmpfs -o size=1g,mode=755 machine "$2"
mkdir "$2/upper" "$2/work" "$2/root"
mount -t overlay overlay -o lowerdir="$1",upperdir="$2/upper",workdir="$2/work" "$2/root"
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir -p "/sys/fs/cgroup/$3"
echo $$ > "/sys/fs/cgroup/$3/cgroup.procs"
exec systemd-nspawn --quiet -D "$2/root" -b --register=no --keep-unit --private-network --console=pipe --link-journal=no \
  --machine="$3" --capability=CAP_BPF,CAP_NET_ADMIN,CAP_SYS_RESOURCE --system-call-filter=bpf
"""
# Its cgroup, deepest first; the tree is mounted nowhere else.
_END = """mount --make-rprivate /
mount -t cgroup2 cgroup2 /sys/fs/cgroup
find "/sys/fs/cgroup/$1" -depth -type d -exec rmdir {} +
"""
_PATIENCE = 60.0  # seconds
_NUMBERS = itertools.count()


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine that runs; `leader` is its PID 1, as the host calls it."""

    leader: int

    def run(self, command: str, *, check: bool = True, timeout: float = _PATIENCE) -> str:
        """What a shell's command says there, of both kinds. Raises AssertionError with that where it fails."""
        done = self.start(command)
        said, _ = done.communicate(timeout=timeout)
        assert not check or done.returncode == 0, f"{command}: exit {done.returncode}\n{said}"
        return said.strip()

    def code(self, command: str) -> int:
        """The exit code of a shell's command."""
        done = self.start(command)
        done.communicate(timeout=_PATIENCE)
        return done.returncode

    def start(self, command: str) -> "subprocess.Popen[str]":
        """A shell's command, running."""
        entered = [
            "nsenter",
            "-t",
            str(self.leader),
            "-m",
            "-u",
            "-i",
            "-n",
            "-p",
            "-C",
            "env",
            "-i",
            "PATH=/usr/sbin:/usr/bin",
        ]
        return subprocess.Popen(
            [*entered, "HOME=/", "LC_ALL=C.UTF-8", "sh", "-c", command],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def write(self, path: str, content: str, mode: int = 0o644) -> None:
        """A file of root's, there; the folder is made."""
        self.run(f"mkdir -p {shlex.quote(str(Path(path).parent))}")
        (inside := self._inside(path)).write_text(content, encoding="utf-8")
        inside.chmod(mode)

    def copy(self, file: Path, path: str) -> None:
        """A copy of a file of the host."""
        shutil.copy(file, self._inside(path))

    def until(self, command: str, seconds: float = 30.0) -> str:
        """What the command says once it succeeds; for what systemd does in its own time."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            done = self.start(command)
            said, _ = done.communicate(timeout=_PATIENCE)
            if done.returncode == 0:
                return said.strip()
            time.sleep(0.1)
        raise AssertionError(f"not within {seconds} s: {command}\n{said}")

    def show(self, unit: str, name: str) -> str:
        """A property of a unit."""
        return self.run(f"systemctl show --value -p {name} {unit}")

    def _inside(self, path: str) -> Path:
        return Path(f"/proc/{self.leader}/root{path}")


@contextmanager
def booted(files: Path, folder: Path) -> Iterator[Machine]:
    """A machine from these files, which are not changed, for as long as the context lasts; `folder` is an empty one."""
    name = f"broker-machine-{os.getpid()}-{next(_NUMBERS)}"
    with (folder.parent / "console.log").open("wb") as console:
        nspawn = subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", _BOOT, "boot", str(files), str(folder), name],
            stdin=subprocess.DEVNULL, stdout=console, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            machine = Machine(_leader(nspawn, Path(console.name)))
            machine.until("systemctl is-system-running --wait | grep -E 'running|degraded'", _PATIENCE)
            yield machine
        finally:
            # Its PID 1 shuts down at this signal; what does not end in time is ended.
            nspawn.terminate()
            try:
                nspawn.wait(20)
            except subprocess.TimeoutExpired:
                nspawn.kill()
                nspawn.wait()
            subprocess.run(["unshare", "--mount", "sh", "-c", _END, "end", name], check=False)


def _leader(nspawn: "subprocess.Popen[bytes]", console: Path) -> int:
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end and nspawn.poll() is None:
        for pid in _below(nspawn.pid):
            try:
                inside = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
                program = Path(f"/proc/{pid}/exe").readlink().name
            except OSError:
                continue
            ids = next(line for line in inside.splitlines() if line.startswith("NSpid:")).split()
            if (
                ids[-1] == "1"
                and program == "systemd"
                and Path("/proc", str(pid), "root", "run/dbus/system_bus_socket").exists()
            ):
                return pid
        time.sleep(0.05)
    raise AssertionError(f"no machine has booted:\n{console.read_text(errors='replace')}")


def _below(pid: int) -> Iterator[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()
    except OSError:
        return
    for child in map(int, children):
        yield child
        yield from _below(child)
