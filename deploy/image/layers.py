"""Writes the image's three layers: the system, the broker's packages, and the broker; runs in the Dockerfile's first stage.

    layers.py INSTALLED CERTIFICATES LAYERS      what install.sh has installed below INSTALLED; LAYERS is made

- Compiled here, and never again: nobody may write there. The compiled code is trusted as it is, so its time does not matter.
- Root owns all and nobody else may write; the mode and the time of a file come from here, not from who builds.
- Debian's records of what was taken from it come along.
"""

import compileall
import os
import py_compile
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from closure import interpreter, libraries, standard_library, with_links
from records import KEPT, copyrights, owners, stanzas

PREFIX = Path("opt/kakaocloud-broker")
UID = 65532  # as the usual images without a shell have it
# What is mounted over them, or an anonymous volume: any user of group 0 may write there, as OpenShift chooses them. Who shares
# the volume of the socket has to enter it; the cache is nobody else's.
WRITTEN = {"run/kakaocloud-broker": 0o775, "run/kakaocloud-broker-state": 0o770}
_CERTIFICATES = "etc/ssl/certs/ca-certificates.crt"
_TEXTS = {
    "passwd": f"root:x:0:0:root:/:/sbin/nologin\nbroker:x:{UID}:{UID}:broker:/:/sbin/nologin\n",
    "group": f"root:x:0:\nbroker:x:{UID}:\n",
    # Where names are looked up: without it the C library would ask for more than is here.
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
}


def system(layer: Path, modules: Iterable[Path], certificates: Path) -> None:
    """The interpreter, what it and the packages' modules load, the CAs, and the files that the C library reads."""
    code = list(standard_library())
    programs = [interpreter(), *(file for file in [*code, *modules] if ".so" in file.suffixes)]
    wanted = [interpreter(), *code, *libraries(programs)]
    taken = {step for path in wanted for step in with_links(path)}
    packages = owners(path for path in taken if not path.is_symlink())
    for path in [*sorted(taken), *copyrights(packages)]:
        _copy(path, layer)
    for name, text in _TEXTS.items():
        _write(layer / "etc" / name, text)
    _write(layer / _CERTIFICATES, certificates.read_text(encoding="utf-8"))
    for name, record in stanzas(packages):
        _write(layer / KEPT / name, record)
    # OpenSSL looks there first: one file instead of hundreds of links.
    (layer / "usr/lib/ssl").mkdir(parents=True, exist_ok=True)
    (layer / "usr/lib/ssl/cert.pem").symlink_to(f"/{_CERTIFICATES}")
    _index_libraries(layer)


def _index_libraries(layer: Path) -> None:
    """The dynamic linker's own list, of what is in the layer."""
    shutil.copytree("/etc/ld.so.conf.d", layer / "etc/ld.so.conf.d")
    shutil.copy("/etc/ld.so.conf", layer / "etc/ld.so.conf")
    subprocess.run(["/sbin/ldconfig", "-X", "-i", "-r", layer], check=True)
    shutil.rmtree(layer / "var/cache", ignore_errors=True)


def packages(layer: Path, installed: Path) -> None:
    """All of the environment that is not the broker."""
    ours = shutil.ignore_patterns("broker", "kakaocloud_broker-*", "share")
    shutil.copytree(installed / PREFIX, layer / PREFIX, symlinks=True, ignore=ours)


def broker(layer: Path, installed: Path) -> None:
    """Our own code and command, and the folders that are written."""
    for path in (installed / PREFIX).glob("lib/python*/site-packages/*broker*"):
        shutil.copytree(path, layer / path.relative_to(installed))
    _copy(installed / PREFIX / "bin/broker", layer, installed)
    for name in WRITTEN:
        (layer / name).mkdir(parents=True)


def _copy(path: Path, layer: Path, root: Path = Path("/")) -> None:
    target = layer / path.relative_to(root)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(path, target, follow_symlinks=False)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def compiled(layer: Path) -> None:
    """Each module with its code, which names the file as it is in the image."""
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    if not compileall.compile_dir(
        layer, maxlevels=20, quiet=1, stripdir=str(layer), prependdir="/", invalidation_mode=mode
    ):
        sys.exit(f"not all of {layer} can be compiled")


def settled(layer: Path) -> None:
    """Owner, mode and time of everything: the same whoever builds, and nothing that others may write."""
    time = int(os.environ.get("SOURCE_DATE_EPOCH") or 0)
    for folder, _, files in os.walk(layer, topdown=False):
        for path in [*(Path(folder, file) for file in files), Path(folder)]:
            os.chown(path, 0, 0, follow_symlinks=False)
            if not path.is_symlink():
                runs = path.is_dir() or path.stat().st_mode & 0o100
                path.chmod(0o755 if runs else 0o644)
            os.utime(path, (time, time), follow_symlinks=False)
    for name, mode in WRITTEN.items():
        if (path := layer / name).exists():
            os.chown(path, UID, 0)
            path.chmod(mode)


def main() -> None:
    """Entry of the Dockerfile."""
    installed, certificates, layers = map(Path, sys.argv[1:])
    packages(layers / "packages", installed)
    broker(layers / "broker", installed)
    system(layers / "system", (layers / "packages").rglob("*.so*"), certificates)
    for layer in layers.iterdir():
        compiled(layer)
        settled(layer)


if __name__ == "__main__":
    main()
