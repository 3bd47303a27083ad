"""Which Debian packages files come from, and what Debian has on record of those: scanners and lawyers ask for both."""

from collections.abc import Iterable, Iterator
from pathlib import Path

_DPKG = Path("/var/lib/dpkg")
# Where images without a package manager keep them, a file for each package.
KEPT = Path("var/lib/dpkg/status.d")


def owners(files: Iterable[Path]) -> set[str]:
    """The packages that these files, without links, belong to; what no package brought has none."""
    wanted = {str(file) for file in files}
    found = set()
    for listing in (_DPKG / "info").glob("*.list"):
        # A package may still name /lib, where files have long been in /usr/lib.
        names = listing.read_text(encoding="utf-8").splitlines()
        if any(name in wanted or f"/usr{name}" in wanted for name in names):
            found.add(listing.stem.partition(":")[0])
    return found


def stanzas(packages: set[str]) -> Iterator[tuple[str, str]]:
    """Each package with its record."""
    for stanza in (_DPKG / "status").read_text(encoding="utf-8").split("\n\n"):
        name = stanza.partition("\n")[0].removeprefix("Package: ")
        if name in packages:
            yield name, stanza.strip() + "\n"


def copyrights(packages: set[str]) -> Iterator[Path]:
    """The licences of the packages, where this machine has them."""
    for name in sorted(packages):
        path = Path("/usr/share/doc", name, "copyright")
        if path.is_file():
            yield path
