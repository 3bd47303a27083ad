"""Whether token files lie where they can do no harm: not on top of each other, nor on what the broker itself reads or keeps.

Whatever stands in a token file's place is replaced. Judged by the words of the settings when they are loaded, so that no
disk is asked; `broker check` has links followed first.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from broker.core.errors import Problem
from broker.identity.sources import ENVIRONMENT
from broker.settings.defaults import can_be_written, default_cache
from broker.settings.draft import dotted
from broker.settings.listeners import UnixListener
from broker.settings.tree import Settings

_ELSEWHERE = "choose another `path`, best in a folder of its own"
Where = Callable[[tuple[str | int, ...]], str]
Real = Callable[[Path], Path]


def lexical(path: Path) -> Path:
    """A path as it is written, in its one spelling."""
    return Path(os.path.normpath(path))


def followed(path: Path) -> Path:
    """A path without links on its way; the last name may be one. Blocks on the disk."""
    return Path(os.path.realpath(path.parent)) / path.name


def place_problems(
    settings: Settings,
    file: Path | None,
    environ: Mapping[str, str],
    where: Where = dotted,
    real: Real = lexical,
) -> Iterator[Problem]:
    """Each token file that lies badly; `file` is that of the settings, `where` says where a setting stands."""
    seen: dict[Path, int] = {}
    files = {real(path): what for path, what in _files(settings, file)}
    folders = {real(path / "x").parent: what for path, what in _folders(settings, environ)}
    for index, each in enumerate(settings.files):
        path = real(each.path)
        if path in seen:
            yield Problem(
                where(("files", index, "path")), f"is the same file as files[{seen[path]}].path", _ELSEWHERE
            )
        seen.setdefault(path, index)
        inside = [what for folder, what in folders.items() if path.is_relative_to(folder)]
        for what in [*([files[path]] if path in files else []), *inside]:
            yield Problem(where(("files", index, "path")), what, _ELSEWHERE)


def _files(settings: Settings, file: Path | None) -> Iterator[tuple[Path, str]]:
    if file is not None:
        yield file, "is the file of these settings"
    for name, identity in settings.identities.items():
        if identity.client_secret_file is not None:
            yield identity.client_secret_file, f"is the client secret of {name}"
    for each in settings.files:
        if each.template is not None:
            yield each.template, "is a template"
    for listener in settings.listen:
        if isinstance(listener, UnixListener):
            yield listener.unix, "is a socket of the broker"
    if settings.log.audit.startswith("/"):
        yield Path(settings.log.audit), "is the audit trail"


def _folders(settings: Settings, environ: Mapping[str, str]) -> Iterator[tuple[Path, str]]:
    """Where no token file may lie; a file stands for itself."""
    for name, identity in settings.identities.items():
        for words in identity.keys:
            if words != ENVIRONMENT:
                yield Path(words), f"lies where the access keys of {name} are"
    cache = settings.cache.path or default_cache(environ, can_be_written)
    if cache is not None and not settings.cache.off:
        yield cache, "lies in the folder of the cache"
