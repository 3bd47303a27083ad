"""Token files as they are written: where each lies, what is in it, whose it is, and what is run when it has changed.

- Names of users and groups are looked up when the settings are loaded, so that an unknown one is a problem with its line.
- What the disk says of a file is not asked here. A folder that hangs must not hold up a start, nor a missing one stop it:
  both are told of while the broker runs, and `broker check` looks beforehand.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, model_validator

from broker.settings.grants import GroupAccount, UserAccount
from broker.settings.kinds import Mode, Name, absolute_file, duration, told
from broker.settings.table import Table

# What stands around the name of a file in that of its predecessor takes some more, and 255 bytes are all there are.
_LONGEST_NAME = 200
_MOST = 256  # each has a thread of its own for a moment, all at the same time
USUAL = "default"  # the identity that is meant where none is named, if there is one of this name


def _path(value: object) -> Path:
    path = absolute_file(value)
    if ".." in path.parts:
        raise told("leads through `..`, so that it is not plain where it ends", "write the path without ..")
    if len(os.fsencode(path.name)) > _LONGEST_NAME:
        raise told(f"has a name of more than {_LONGEST_NAME} bytes", "choose a shorter one")
    # Of slashes at the start Python keeps two.
    return Path(f"/{str(path).lstrip('/')}")


def _mode(mode: int) -> int:
    if mode & 0o007:
        what = "lets every user of this host at a token"
        raise told(what, 'name a `group` with its readers as members, and write "0640"')
    if not mode & 0o400:
        raise told("lets not even the owner read the file", 'write it like "0600", or "0640" for a group')
    return mode


def _command(words: tuple[str, ...]) -> tuple[str, ...]:
    if not words or not words[0]:
        raise told("names no command", 'write it like ["systemctl", "reload", "nginx"], or leave it out')
    if any("\0" in word for word in words):
        raise told("holds a byte of zero", "remove it")
    if "/" in words[0] and not words[0].startswith("/"):
        raise told("names a program by a relative path", "begin with /, or give its name alone")
    return words


class File(Table):
    """One file that holds the token of an identity."""

    path: Annotated[Path, BeforeValidator(_path)]
    identity: Name | None = None  # None: see `identity_of`
    format: Literal["text", "json", "env", "header", "openrc", "clouds.yaml"] = "text"
    template: Annotated[Path, BeforeValidator(absolute_file)] | None = None  # instead of a format
    mode: Annotated[Mode, AfterValidator(_mode)] = 0o600
    owner: UserAccount | None = None  # None: the broker's own user
    group: GroupAccount | None = None  # None: the broker's own, or that of a folder which gives its group on
    on_change: Annotated[tuple[str, ...], AfterValidator(_command)] | None = None
    on_change_timeout: Annotated[float, duration(0.1, 3600)] = 30.0  # seconds
    keep: bool = False  # when the broker ends

    @model_validator(mode="after")
    def _one_content(self) -> Self:
        if self.template is not None and "format" in self.model_fields_set:
            raise told("names both a format and a template", "keep `format` or keep `template`")
        return self


def identity_of(file: File, known: Mapping[str, object]) -> str | None:
    """Whose token the file holds, of these identities; None where it does not say, and more than one could be meant."""
    if file.identity is not None:
        return file.identity
    return usual(known)


def usual(known: Mapping[str, object]) -> str | None:
    """The identity that is meant where none is named."""
    if USUAL in known:
        return USUAL
    return next(iter(known)) if len(known) == 1 else None


def apart(files: tuple[File, ...]) -> tuple[File, ...]:
    """The files, if each has a path of its own."""
    if len(files) > _MOST:
        raise told(f"names more than {_MOST} files", "have some programs ask the broker instead")
    paths = {file.path for file in files}
    if len(paths) < len(files):
        raise told("writes two files to one path", "keep one of the two, or change a path")
    return files
