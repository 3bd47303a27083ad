"""The kinds of value that a setting may have; each says in our words what it wants, and never repeats what it got."""

import grp
import math
import os
import re
import stat
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator
from pydantic_core import PydanticCustomError

from broker.core import durations
from broker.exchange.places import is_region
from broker.identity.sources import is_source
from broker.identity.trouble import unopened

TOLD = "told"  # the type of an error that carries its own sentence
NOT_TEXT = ("is not text", "put the value in quotes")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_MODE = re.compile(r"0?[0-7]{3}")
# sun_path has 108 bytes, the last of them zero.
_LONGEST_SOCKET = 107
_AUDIT = {"stdout", "journald", "off"}


def told(what: str, remedy: str) -> PydanticCustomError:
    """An error that `sentences` passes on as it is."""
    return PydanticCustomError(TOLD, "{what}; {remedy}", {"what": what, "remedy": remedy})


def duration(least: float, most: float) -> BeforeValidator:
    """Seconds between two bounds, written in any form of `durations`."""

    def check(value: object) -> float:
        number = durations.seconds(value)
        if number is None:
            raise told("is not a duration", 'write it like 90, "90s", "15m", "12h" or "2d"')
        if not least <= number <= most:
            bounds = f"between {durations.shown(least)} and {durations.shown(most)}"
            raise told("is out of bounds", f"choose a duration {bounds}")
        return number

    return BeforeValidator(check)


def fraction(least: float) -> BeforeValidator:
    """A part of one, of at least so much."""

    def check(value: object) -> float:
        try:
            number = float(value) if isinstance(value, str | int | float) else math.nan
        except (ValueError, OverflowError):
            number = math.nan
        if isinstance(value, bool) or math.isnan(number):
            raise told("is not a fraction", "write it like 0.5")
        if not least <= number < 1:
            raise told("is out of bounds", f"choose a fraction of at least {least} and below 1")
        return number

    return BeforeValidator(check)


def count(least: int, most: int) -> BeforeValidator:
    """A whole number between two bounds, also as a variable's text."""

    def check(value: object) -> int:
        number = int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value
        if isinstance(number, bool) or not isinstance(number, int):
            raise told("is not a whole number", f"write it like {least}")
        if not least <= number <= most:
            raise told("is out of bounds", f"choose a number between {least} and {most}")
        return number

    return BeforeValidator(check)


def _text(check: Callable[[str], bool], what: str, remedy: str) -> AfterValidator:
    def validate(value: str) -> str:
        if not check(value):
            raise told(what, remedy)
        return value

    return AfterValidator(validate)


def _mode(value: object) -> object:
    if isinstance(value, str) and _MODE.fullmatch(value):
        return int(value, 8)
    if isinstance(value, int) and not isinstance(value, bool):
        raise told("is a number", 'write the mode as text, like "0660"')
    raise told("is not a file mode", 'write it like "0660"')


def absolute_file(value: object) -> Path:
    """The path that a text means; raises what `told` makes."""
    if not isinstance(value, str):
        raise told(*NOT_TEXT)
    if not value.startswith("/") or "\0" in value or value.endswith("/"):
        raise told("is not the absolute path of a file", "begin with / and do not end with it")
    return Path(value)


def _audit(value: object) -> str:
    if not isinstance(value, str):
        raise told(*NOT_TEXT)
    if value in _AUDIT:
        return value
    if not value.startswith("/"):
        raise told(
            "is no place for the audit trail",
            'choose "stdout", "journald" or "off", or give the absolute path of a file',
        )
    return str(absolute_file(value))


def absolute_folder(value: object) -> Path:
    """The path that a text means; raises what `told` makes."""
    if isinstance(value, Path):  # a default, as code gives it
        return value
    if not isinstance(value, str):
        raise told(*NOT_TEXT)
    if not value.startswith("/") or "\0" in value:
        raise told("is not the absolute path of a folder", "begin with /")
    return Path(value)


def socket_file(value: object) -> Path:
    """The path of a socket in its one spelling, because grants name listeners by it; raises what `told` makes."""
    path = absolute_file(value)
    # What is above a link is not known without looking, so it cannot be taken out here.
    if ".." in path.parts:
        raise told("leads through `..`, and a socket goes by one name", "write the path without ..")
    # Of slashes at the start Python keeps two.
    return Path(f"/{str(path).lstrip('/')}")


def _socket(path: Path) -> Path:
    if len(os.fsencode(path)) > _LONGEST_SOCKET:
        raise told(f"is longer than {_LONGEST_SOCKET} bytes", "the kernel takes no longer path for a socket")
    return path


def _existing(path: Path) -> Path:
    try:
        there = stat.S_ISREG(path.stat().st_mode)
    except OSError as error:
        problem = unopened(error, str(path))
        raise told(problem.what, problem.remedy) from None
    if not there:
        raise told("is not a regular file", "name a regular file")
    return path


def _host(value: object) -> str:
    """A name in lower case, or an address in normal form, with brackets where a Host header has them."""
    if not isinstance(value, str):
        raise told(*NOT_TEXT)
    bare = value[1:-1] if value.startswith("[") and value.endswith("]") else value
    try:
        found = ip_address(bare)
    except ValueError:
        name = value.lower().removesuffix(".")
    else:
        return f"[{found}]" if found.version == 6 else str(found)
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in name.split(".")):
        raise told("is not a host name or an address", "write it without scheme, port, path or pattern")
    return name


def _group(value: str) -> bool:
    """A number is taken as it is: containers often have no line for it in /etc/group."""
    if value.isascii() and value.isdigit():
        return int(value) < 2**32 - 1
    try:
        grp.getgrnam(value)
    except (KeyError, ValueError):
        return False
    return True


Url = Annotated[
    str, AfterValidator(lambda url: url.rstrip("/"))
]  # judged in `urls`, which needs more than the url
Mode = Annotated[int, BeforeValidator(_mode)]
Name = Annotated[
    str,
    _text(
        lambda name: _NAME.fullmatch(name) is not None,
        "is not a name for an identity",
        "use at most 63 of a-z, 0-9 and -, and begin with a letter or digit",
    ),
]
SocketPath = Annotated[Path, BeforeValidator(socket_file), AfterValidator(_socket)]
Host = Annotated[str, BeforeValidator(_host)]
FilePath = Annotated[Path, BeforeValidator(absolute_file), AfterValidator(_existing)]
FolderPath = Annotated[Path, BeforeValidator(absolute_folder)]
AuditWord = Annotated[str, BeforeValidator(_audit)]
Group = Annotated[
    str, _text(_group, "is no group of this host", "create the group, or give its name or number")
]
Region = Annotated[
    str,
    _text(is_region, "is not a region", "write it like kr-central-2: at most 63 of a-z, 0-9 and -"),
]
SourceWords = Annotated[
    str,
    _text(
        is_source,
        "is not a source of keys",
        "give the absolute path of a directory, *.toml or *.json, or env:",
    ),
]
