"""Templates of an administrator's, filled in by Jinja2: loaded with the first template, for it costs megabytes.

- A name that the template does not know is an error, not an empty place in somebody's configuration.
- What it is given is plain values; the sandbox keeps it from everything else, and it can include no other file.
- Nothing is escaped for HTML. `shell` and `tojson` quote for shells, JSON and YAML.
- An error is told by its line. Its own words may repeat a value, and one of the values is the token.
"""

from __future__ import annotations

import os
import traceback
from typing import TYPE_CHECKING

from broker.core.redaction import redacted
from broker.core.shell import quoted
from broker.sinks.token_file import SinkError, TokenFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

LARGEST = 64 * 1024  # bytes of a template
_MASK = "***"

Stamp = tuple[int, int, int, int]


def stamp(path: Path) -> Stamp | None:
    """What changes when a template does, by being written or replaced; None where there is none. Blocks on the disk."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def filled(file: TokenFile, values: Mapping[str, object], token: str, most: int) -> str:
    """The template with these values; blocks on the disk. Raises SinkError. `token` is kept out of its sentence.

    Where that is more than so many characters, the rest is not made: loops in loops would take all memory.
    """
    from jinja2 import StrictUndefined, TemplateSyntaxError, UndefinedError  # noqa: PLC0415
    from jinja2.sandbox import ImmutableSandboxedEnvironment  # noqa: PLC0415

    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined,
        autoescape=False,  # what is made is no HTML
        keep_trailing_newline=True,
    )
    environment.filters["shell"] = lambda value: quoted(str(value))
    source = _read(file)
    try:
        return _up_to(most, environment.from_string(source).generate(values))
    except TemplateSyntaxError as error:
        why = f"line {error.lineno}: {error.message}"
    except UndefinedError as error:
        why = f"line {_line(error)}: {error.message}"
    except Exception as error:  # noqa: BLE001  (a template may raise anything)
        why = f"line {_line(error)}: {type(error).__name__}"
    why = redacted(why.replace(token, _MASK))
    raise SinkError(
        f"the template {file.template} of {file.path} cannot be filled in ({why}); correct that line"
    )


def _up_to(most: int, parts: Iterator[str]) -> str:
    made, length = [], 0
    for part in parts:
        made.append(part)
        length += len(part)
        if length > most:
            break
    return "".join(made)


def _read(file: TokenFile) -> str:
    path = file.template
    assert path is not None  # noqa: S101  (who has none does not come here)
    try:
        with open(path, "rb", opener=_opener) as source:
            content = source.read(LARGEST + 1)
        if len(content) > LARGEST:
            raise SinkError(
                f"the template {path} of {file.path} is larger than {LARGEST // 1024} KiB; name another file"
            )
        return content.decode()
    except OSError as error:
        reason = os.strerror(error.errno).lower() if error.errno else "unknown error"
        raise SinkError(
            f"the template {path} of {file.path} cannot be read ({reason}); let uid {os.geteuid()} read it, or correct the path"
        ) from None
    except UnicodeDecodeError:
        raise SinkError(f"the template {path} of {file.path} is not UTF-8 text; save it as UTF-8") from None


def _opener(path: str, flags: int) -> int:
    """A FIFO is not waited for."""
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)


def _line(error: Exception) -> str:
    """The line of the template in which it came up."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == "<template>"]
    return str(frames[-1].lineno) if frames else "unknown"
