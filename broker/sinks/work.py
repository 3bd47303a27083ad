"""The three pieces of work on a token file that may block: to write it, to remove it, and to look at it."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from broker.core.model import Held
from broker.sinks import disk, template
from broker.sinks.content import content
from broker.sinks.disk import Seen
from broker.sinks.template import Stamp
from broker.sinks.token_file import TokenFile

# A token leaves its file so much before its end: time for a thread and a disk, and never a good part of a short life.
_EARLY = 1.0  # seconds
_PART = 0.03


@dataclass(frozen=True, slots=True)
class There:
    """What lies in the file's place, as far as the broker knows; at first nothing is known, and that must go."""

    digest: str | None = None  # of its token
    gone_by: float = -math.inf  # when it must have left the file, on the broker's clock
    right: bool = False  # it is as the settings want it, and nobody has changed it
    seen: Seen | None = None  # as it was left
    stamp: Stamp | None = None  # of the template that it was made from
    unknown: str = "an earlier run has left it"  # why it must go where its token does not count

    @property
    def doom(self) -> str:
        """Why it must go, for the log."""
        if self.digest is None:
            return self.unknown
        return "its token is dead" if self.gone_by == -math.inf else "its token has ended"


@dataclass(frozen=True, slots=True)
class Made:
    """What is to be written."""

    content: bytes = field(repr=False)  # holds the token
    stamp: Stamp | None


@dataclass(frozen=True, slots=True)
class Written:
    """What came of writing."""

    there: There
    changed: bool  # False: it was there already, as it should be


def outdated(there: There, was: TokenFile, now: TokenFile) -> There:
    """The same under other settings: to be written anew, and the token of another identity must go."""
    return There() if was.identity != now.identity else replace(there, right=False)


def gone_by(held: Held) -> float:
    """When a token must have left its file."""
    return held.span.deadline - min(_EARLY, _PART * held.span.lifetime)


def made(file: TokenFile, held: Held) -> Made:
    """What is to be written. Raises SinkError."""
    stamp = _stamp(file)  # before it is read: a change meanwhile is seen later
    return Made(content(file, held.token), stamp)


def write(
    file: TokenFile, held: Held, known: Seen | None, wanted: Callable[[], bool], *, new: Made, clean: bool
) -> Written:
    """Have the token there. Raises OSError or Abandoned."""
    if clean:
        disk.clean(file)
    old = disk.holding(file, new.content)
    seen = disk.put(file, new.content, known, wanted) if old is None else old
    return Written(
        There(held.token.digest, gone_by(held), right=True, seen=seen, stamp=new.stamp), old is None
    )


def remove(file: TokenFile, known: Seen | None, *, clean: bool) -> bool:
    """Have no token there; whether there may have been one. Raises OSError, `Emptied` too."""
    was_there = disk.remove(file, known)
    if clean:
        disk.clean(file)
    return was_there


def looked(file: TokenFile, there: There) -> There | None:
    """What lies there now, where this was left. Raises OSError."""
    seen = disk.look(file)
    if seen is None:
        return None
    same = seen == there.seen and _stamp(file) == there.stamp
    return (
        there if same else There(there.digest, there.gone_by, right=False, seen=there.seen, stamp=there.stamp)
    )


def _stamp(file: TokenFile) -> Stamp | None:
    return None if file.template is None else template.stamp(file.template)
